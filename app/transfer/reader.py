"""What an import asks of a source, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from palimpsest.app.transfer.rows import Item
from palimpsest.app.transfer.shapes import Shape


class Start(NamedTuple):
    """Where to go on: after so many rows, the last of which had this id (for a server's)."""

    rows: int = 0
    after: int | str | None = None


class Reader(Protocol):
    """One source, open."""

    name: str  # as it is shown
    unit: str  # what a row is called: "line", "row", "point"
    total: int | None  # rows, where that is known ahead
    skipped: int  # rows left out because the source itself marks them as gone

    def mark(self) -> Any:
        """Return what is another value once the source has changed, JSON; None if nothing tells."""

    def shape(self) -> Shape | None:
        """Return what vectors it holds, None where only each row tells. Raises TransferError."""

    def declared(self) -> dict[str, Any] | None:
        """Return the body that creates a collection like the one it came from, if it knows."""

    def read(self, start: Start, first_id: int) -> Iterator[Item]:
        """Give its rows from a place on. Raises TransferError where it cannot be read further.

        Args:
            start: where to begin.
            first_id: what the row at place 0 is called where the source has no ids.
        """

    def close(self) -> None:
        """Give its files up."""
