"""Rows put together to bodies of a request, by their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, Row

BATCH_BYTES = 2 << 20
BATCH_ROWS = 2_000  # the server takes on many more, but answers sooner, and paces better, by these


@dataclass(slots=True)
class Batch:
    """Rows that follow each other in a source.

    Attributes:
        source: the number of the source.
        rows: the points, in their order.
        faults: rows among them that are none.
        ids: of the points.
        end: where the source is to be read on from once all of it is done.
    """

    source: int
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ids: set[int | str] = field(default_factory=set)
    end: Start = Start()

    def body(self) -> bytes:
        """Return the body of an upsert."""
        return body_of(self.rows)


def body_of(rows: Iterable[Row]) -> bytes:
    """Return the body of an upsert of these points."""
    return b'{"points":[' + b",".join([row.text for row in rows]) + b"]}"


def batches_of(
    items: Iterable[Item], source: int, start: Start, most_bytes: int = BATCH_BYTES
) -> Iterator[Batch]:
    """Give the batches of a source; only a row that is larger by itself makes a larger one.

    Rows that are no points count as well: a source may hold nothing else.
    """
    batch, size = Batch(source, end=start), 0
    for item in items:
        held = len(batch.rows) + len(batch.faults)
        if held and (size + len(item.text) > most_bytes or held >= BATCH_ROWS):
            yield batch
            batch, size = Batch(source, end=batch.end), 0
        size += len(item.text) + 1
        if isinstance(item, Fault):
            batch.faults.append(item)
            batch.end = Start(item.place + 1, batch.end.after)
        else:
            batch.rows.append(item)
            batch.ids.add(item.id)
            batch.end = Start(item.place + 1, item.id)
    if batch.rows or batch.faults:
        yield batch
