"""A short soak, and the judge of long ones: `make soak` runs twenty minutes."""

from __future__ import annotations

from pathlib import Path

from tests.soak.running import soak
from tests.soak.watching import Sample, judge, table

SECONDS, IDS = 5.0, 4_000


def test_a_short_soak_holds(tmp_path: Path) -> None:
    soaked = soak(tmp_path, SECONDS, IDS)
    assert soaked.errors == [] and soaked.holds, table(soaked.verdicts)
    for kind in ("upsert", "delete", "query", "read"):
        assert soaked.done[kind][200] > 10, kind
    assert soaked.done["snapshot"][200] >= 2  # one made and deleted


def judged(memory: float = 0, descriptors: float = 0, disk: float = 0) -> list[bool]:
    """Judge a run in which things grow by a share of themselves from beginning to end."""
    samples = [
        Sample(
            memory=round(1e8 * (1 + memory * n / 100)),
            mapped=0,
            descriptors=round(50 * (1 + descriptors * n / 100)),
            threads=20,
            disk=round(1e8 * (1 + disk * n / 100)),
        )
        for n in range(100)
    ]
    return [one.holds for one in judge(samples, 0.05)]


def test_what_grows_is_found_out() -> None:
    assert judged() == [True] * 4
    assert judged(memory=0.2) == [False, True, True, True]
    assert judged(memory=0.05) == [True] * 4
    assert judged(descriptors=2.0) == [True, True, False, True]
    assert judged(disk=9.0) == [True, False, True, True]
