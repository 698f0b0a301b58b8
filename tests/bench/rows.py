"""What checksums of rows cost: writes, reads and opening with them, and without."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench import rows_once
from tests.bench.report import Result

_POINTS = 48_000
_MUST = 0.97
_LIMIT_SECONDS = 300.0  # no pass takes longer


def measure(folder: Path, rounds: int) -> Iterator[Result]:
    """Yield the rows; ``folder`` holds `text/corpus.jsonl.gz` and `text/v2_base_f16.npy`."""
    with_sums, without = [], []
    for _ in range(rounds):  # in turns: both meet the same neighbours
        with_sums.append(once(folder))
        without.append(once(folder, "--unsummed"))
    for step in with_sums[0]:
        ours, plain = (min(one[step] for one in each) for each in (with_sums, without))
        yield Result(
            f"{_POINTS:,} points with payload, {step}: speed with checksums of rows, by CPU time",
            "" if step == "overwrite" else f">= {_MUST}x",
            "",
            f"{plain / ours:.2f}x ({ours:.2f} s against {plain:.2f} s)",
        )


def once(folder: Path, *flags: str, points: int = _POINTS) -> dict[str, float]:
    """Return the CPU seconds of each step, measured in a process of its own."""
    # -P: beside the script lie benches that are called as modules of Python are
    done = subprocess.run(
        [sys.executable, "-P", rows_once.__file__, str(folder / "text"), str(points), *flags],
        check=True,
        capture_output=True,
        timeout=_LIMIT_SECONDS,
    )
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds
