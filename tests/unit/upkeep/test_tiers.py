"""Which segments are compacted: of one tier, mostly dead, or outdated, and never too many rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from palimpsest.index.config.vectors import MaintenanceConfig
from palimpsest.index.upkeep.tiers import FULL_SEGMENTS, excess, to_compact, to_merge

KEPT = MaintenanceConfig(seal_rows=1_000, tier_factor=4, dead_ratio=0.2)


@dataclass(frozen=True)
class Rows:
    """A part by its counts alone, which is all that is looked at."""

    n: int
    gone: int = 0
    old: bool = False

    @property
    def live(self) -> int:
        return self.n - self.gone

    @property
    def dead(self) -> Any:
        return type("Dead", (), {"count": self.gone})

    @property
    def segment(self) -> Any:
        return type("Segment", (), {"is_outdated": lambda _, config: self.old})()


def compacted(*parts: Rows) -> list[Rows]:
    vectors: Any = type("Vectors", (), {"sealed": parts, "config": None})
    found: Any = to_compact(vectors, KEPT)
    return found


def test_a_tier_is_compacted_once_it_has_enough_segments() -> None:
    assert compacted() == compacted(*[Rows(10)] * 3) == []
    assert compacted(*[Rows(10)] * 4) == [Rows(10)] * 4
    mixed = [Rows(10), Rows(700), Rows(11), Rows(12), Rows(9)]
    assert compacted(*mixed) == [Rows(10), Rows(11), Rows(12), Rows(9)]


def test_full_segments_are_left_while_rows_come() -> None:
    full = [Rows(1_000)] * FULL_SEGMENTS
    assert compacted(*full[1:]) == [] and excess(full[1:], KEPT) == 0  # type: ignore[arg-type]
    taken = compacted(*full)
    assert len(taken) == 4 and sum(one.live for one in taken) <= 4 * KEPT.seal_rows
    assert excess([*full, Rows(1_000)], KEPT) == 1  # type: ignore[list-item]


@pytest.mark.parametrize("part", [Rows(10, 3), Rows(10, 10), Rows(2**40, 2**39)])
def test_a_segment_that_is_mostly_dead_is_written_anew(part: Rows) -> None:
    assert compacted(Rows(500), part) == [part]
    assert compacted(Rows(10, 2)) == []


def test_a_crowded_tier_goes_before_dead_rows() -> None:
    dead = Rows(900, 300)
    assert compacted(dead, *[Rows(10)] * 7) == [dead]
    assert compacted(dead, *[Rows(10)] * 8) == [Rows(10)] * 8


def test_outdated_ones_come_last_and_one_at_a_time() -> None:
    old = Rows(600, old=True)
    assert compacted(old, old) == [old]
    assert compacted(old, *[Rows(10)] * 4) == [Rows(10)] * 4


def test_many_small_ones_are_taken_at_once_up_to_the_rows_of_full_ones() -> None:
    assert len(compacted(*[Rows(10)] * 100)) == 100
    taken = compacted(*[Rows(400)] * 30)
    assert len(taken) == 10 and sum(one.live for one in taken) == 4 * KEPT.seal_rows


def test_two_full_segments_are_merged_in_quiet() -> None:
    parts = [Rows(499), Rows(600), Rows(1_251), Rows(1_250), Rows(700)]
    assert to_merge(parts, KEPT) == [Rows(600), Rows(1_250)]  # type: ignore[arg-type, comparison-overlap]
    assert to_merge(parts[:3], KEPT) == []  # type: ignore[arg-type]
