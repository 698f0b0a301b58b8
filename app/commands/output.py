"""What a command prints: words for people, or one JSON object for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from palimpsest.app.lines import in_a_line


def show(lines: Iterable[str], outcome: Any, as_json: bool) -> None:
    """Print lines, or what they say as JSON, to standard output."""
    text = "\n".join(map(in_a_line, lines))
    if as_json:
        text = json.dumps(outcome, ensure_ascii=False, indent=1)
    with suppress(BrokenPipeError):  # whoever reads it has seen enough
        # names may be no text
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()


def tell(text: str) -> None:
    """Print a line for whoever runs the command to standard error."""
    sys.stderr.write(f"palimpsest: {in_a_line(text)}\n")


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines whose columns stand below each other."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def in_bytes(size: int | None) -> str:
    """Return a size as it is read: 12.3 MB."""
    if size is None:
        return ""
    number, units = float(size), ["B", "kB", "MB", "GB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.0f} B" if units[0] == "B" else f"{number:.1f} {units[0]}"
