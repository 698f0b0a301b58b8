"""The result of one measurement, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table; `recall` is empty where recall has no meaning.

    `reference` is what plain numpy or a publication gives, where that is compared with.
    """

    name: str
    must: str
    aim: str
    measured: str
    recall: str = ""
    reference: str = ""


HEADINGS = ("what", "reference", "must", "aim", "measured", "recall@10")
_REFERENCE = HEADINGS.index("reference")  # a column left out where no row has one


def table(results: Iterable[Result]) -> str:
    """Lay results out as a Markdown table, columns padded so that it also reads as text."""
    rows: list[tuple[str, ...]] = [HEADINGS]
    rows += [(r.name, r.reference, r.must, r.aim, r.measured, r.recall) for r in results]
    if not any(row[_REFERENCE] for row in rows[1:]):
        rows = [row[:_REFERENCE] + row[_REFERENCE + 1 :] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def rate(per_second: float) -> str:
    """Write a rate the way the table shows it: 940/s, 21.3k/s, 1.20M/s."""
    if per_second >= 1e6:
        return f"{per_second / 1e6:.2f}M/s"
    return f"{per_second / 1e3:.1f}k/s" if per_second >= 1e3 else f"{per_second:.0f}/s"


def ratio(ours: float, theirs: float) -> str:
    """Write how many times `theirs` goes into `ours`."""
    return f"{ours / theirs:.2f}x"
