"""A table of what each step measured, and a bar chart of it, as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from palimpsest.app.demo.measuring import Quality

BAR = 40  # characters for a quality of 1


class Step(NamedTuple):
    """A step of the story: its name, the share of points that hold the new version, the quality."""

    name: str
    coverage: float
    quality: Quality


def to_table(steps: Sequence[Step]) -> str:
    """Return one line per step under a head."""
    head = ("step", "re-embedded", "requests", "found@10", "nDCG@10", "ms")
    rows = [head, *(_cells(step) for step in steps)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def to_chart(steps: Sequence[Step], block: str = "#") -> str:
    """Return one bar per step, as long as its share of requests answered."""
    width = max(len(step.name) for step in steps)
    shares = [step.quality.requests for step in steps]
    return "\n".join(
        f"{step.name:{width}}  {block * round(BAR * share)} {share:.2f}"
        for step, share in zip(steps, shares, strict=True)
    )


def _cells(step: Step) -> tuple[str, ...]:
    found, ndcg, requests, milliseconds = step.quality
    return (
        step.name,
        f"{step.coverage:.0%}",
        f"{requests:.3f}",
        f"{found:.3f}",
        f"{ndcg:.3f}",
        f"{milliseconds:.1f}",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = f"{cells[0]:{widths[0]}}"
    others = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([first, *others])
