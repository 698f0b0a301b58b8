"""How far a snapshot is, by the bytes that were copied, written and read back for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from palimpsest.index.snapshots.archive import GoOn

# What lies beside the store; all else is in it, and is also copied and held against its checksum.
_FOLDERS = ("vectors", "codes", "graph", "indexes", "adapters")
_LEFT_OUT = ("free", "wal", "lost_found")
_OF_STORE, _OF_FOLDERS = 4, 2  # times that the bytes of each pass: copied, summed; written, read
_STEP = 0.01  # of the whole, between two notes


class Copying:
    """Of one snapshot. ``went`` is told of bytes and goes on, or raises what ends it."""

    def __init__(self, disk: Mapping[str, int], go_on: GoOn, note: Callable[[float], None]) -> None:
        """Begin it.

        Args:
            disk: what the collection takes of the disk, in bytes by component.
            go_on: told of the bytes too.
            note: told of the share that is done, 0 to 1, now and then.
        """
        whole = sum(
            n * (_OF_FOLDERS if name in _FOLDERS else _OF_STORE)
            for name, n in disk.items()
            if name not in _LEFT_OUT
        )
        self._whole, self._done, self._noted = max(whole, 1), 0, 0.0
        self._go_on, self._note = go_on, note

    def went(self, nbytes: int) -> None:
        """Note that some bytes were passed. Raises as ``go_on``."""
        self._go_on(nbytes)
        self._done += nbytes
        # About right is enough: a store is copied as it is, though parts of it are free.
        share = min(self._done / self._whole, 1.0)
        if share - self._noted >= _STEP:
            self._noted = share
            self._note(share)
