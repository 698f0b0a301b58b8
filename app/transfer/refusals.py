"""What to do with a batch that the server refuses: name the row at fault, or do without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus

from palimpsest.app.transfer.batches import Batch, body_of
from palimpsest.app.transfer.errors import BadRow, Refused
from palimpsest.app.transfer.rows import Fault, Row

UNREADABLE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_POINT = re.compile(r"\bpoint ([0-9a-fA-F-]+)")  # as the server names the one at fault
TOO_LARGE = ("larger than allowed", 'for "upsert limit"')  # bodies, and rows of strict mode
_SHOWN = 200  # characters of a row that an error repeats

Write = Callable[[bytes], object]


def write_batch(batch: Batch, write: Write, skips: bool, where: Callable[[int, int], str]) -> None:
    """Write a batch; with ``skips`` what the server refuses becomes a fault of the batch.

    Args:
        batch: the rows; its faults are only added to.
        write: sends a body. Raises Refused.
        skips: whether to do without rows that are refused.
        where: names places of the source of a number.

    Raises:
        BadRow: a row is refused, and none is to be skipped; nothing of the batch is written.
        Refused: what is refused is not about a row.
    """

    def put(rows: Sequence[Row]) -> None:
        try:
            write(body_of(rows))
        except Refused as error:
            too_large = _is_too_large(error)
            if not too_large and error.status not in UNREADABLE:
                raise
            if len(rows) > 1 and (too_large or skips):
                bad = None if too_large else _named(rows, error.reason)
                for part in _parts(rows, bad):
                    put(part)
            elif skips:
                batch.faults.append(Fault(rows[0].place, error.reason, rows[0].text))
            else:
                raise _bad_row(batch, rows, error, where) from error

    if batch.rows:
        put(batch.rows)


def told(fault: Fault) -> str:
    """Return why a row is no point, with the beginning of what stands there."""
    shown = fault.text[:_SHOWN].decode(errors="replace")
    return f"{fault.why}; it reads {shown}{'...' if len(fault.text) > _SHOWN else ''}"


def _is_too_large(error: Refused) -> bool:
    # Gateways answer by the status, Qdrant and this server by 400 and a text.
    return error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or any(
        text in error.reason for text in TOO_LARGE
    )


def _parts(rows: Sequence[Row], bad: int | None) -> list[Sequence[Row]]:
    """Return rows in parts, in their order: those around the one at fault, or two halves."""
    middle = len(rows) // 2
    if bad is None:
        return [rows[:middle], rows[middle:]]
    return [part for part in (rows[:bad], rows[bad : bad + 1], rows[bad + 1 :]) if part]


def _named(rows: Sequence[Row], reason: str) -> int | None:
    """Return which row the server's text names, if one alone has that id."""
    found = _POINT.search(reason)
    if found is None:
        return None
    at = [number for number, row in enumerate(rows) if str(row.id) == found[1]]
    return at[0] if len(at) == 1 else None


def _bad_row(
    batch: Batch, rows: Sequence[Row], error: Refused, where: Callable[[int, int], str]
) -> BadRow:
    bad = _named(rows, error.reason)
    if len(rows) == 1:
        bad = 0
    if bad is None:
        place = f"one from {where(batch.source, rows[0].place)} to {rows[-1].place + 1}"
        return BadRow(f"{place}: the server refuses it: {error.reason}")
    fault = Fault(rows[bad].place, f"the server refuses it: {error.reason}", rows[bad].text)
    return BadRow(f"{where(batch.source, rows[bad].place)}: {told(fault)}")
