"""What a server holds while it runs: looked at once a second, and judged at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

WARM_UP = 0.3  # of the time
_MORE_DESCRIPTORS = 16  # than after the warm-up: connections, files that are being written


@dataclass(frozen=True)
class Sample:
    """What a process and its data directory take."""

    memory: int  # bytes of the process alone, without files that are mapped
    mapped: int  # of these
    descriptors: int
    threads: int
    disk: int  # bytes of all files


def sample(pid: int, data: Path) -> Sample:
    """Look at a process and its data directory now."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Sample(
        memory=_kilobytes(status["RssAnon"]),
        mapped=_kilobytes(status["RssFile"]),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=int(status["Threads"]),
        disk=disk_of(data),
    )


def disk_of(data: Path) -> int:
    """Return the bytes that all files of a folder take, linked ones once."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(data):
        for name in names:
            with suppress(OSError):  # replaced meanwhile
                found = os.lstat(os.path.join(parent, name))
                seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


@dataclass(frozen=True)
class Verdict:
    """One line of the table: what was looked at, what it was, what it may be."""

    what: str
    after_warm_up: str
    at_the_end: str
    wanted: str
    holds: bool


def judge(samples: Sequence[Sample], tolerance: float, swing: float = 0.5) -> list[Verdict]:
    """Compare the first third after the warm-up with the last third.

    Args:
        samples: at even times, of the whole run.
        tolerance: the share by which the median of memory may have grown.
        swing: the same of disk. A compaction takes place for old and new at once.
    """
    warm = samples[int(len(samples) * WARM_UP) :]
    first, last = warm[: len(warm) // 3], warm[-(len(warm) // 3) :]
    megabytes = f"at most {tolerance:.0%} more"
    return [
        _compared(
            "memory, MB", first, last, lambda one: one.memory / 1e6, megabytes, 1 + tolerance
        ),
        _compared(
            "disk, MB", first, last, lambda one: one.disk / 1e6, f"at most {1 + swing}x", 1 + swing
        ),
        _bounded("descriptors", first, last, lambda one: one.descriptors),
        _bounded("threads", first, last, lambda one: one.threads),
    ]


def _compared(
    what: str,
    first: Sequence[Sample],
    last: Sequence[Sample],
    of: Callable[[Sample], float],
    wanted: str,
    most: float,
) -> Verdict:
    before, after = median(map(of, first)), median(map(of, last))
    holds = after <= most * before
    return Verdict(what, f"{before:.1f}", f"{after:.1f}", wanted, holds)


def _bounded(
    what: str, first: Sequence[Sample], last: Sequence[Sample], of: Callable[[Sample], int]
) -> Verdict:
    before, after = max(map(of, first)), max(map(of, last))
    wanted = f"at most {_MORE_DESCRIPTORS} more"
    return Verdict(what, str(before), str(after), wanted, after <= before + _MORE_DESCRIPTORS)


def _kilobytes(text: str) -> int:
    return int(text.split()[0]) * 1024


def table(verdicts: Sequence[Verdict]) -> str:
    """Return the table, as Markdown."""
    lines = ["| what | after warm-up | at the end | wanted | |", "|---|---|---|---|---|"]
    for one in verdicts:
        cells = (one.what, one.after_warm_up, one.at_the_end, one.wanted)
        lines.append(f"| {' | '.join(cells)} | {'holds' if one.holds else 'FAILS'} |")
    return "\n".join(lines)
