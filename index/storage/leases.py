"""Who still reads a folder that was replaced: it is removed when the last reader is done.

A reader takes a lease: a part of a view for as long as any view has it, a copy of the files until
it is made. A folder that no table lists any more is retired, and removed once no lease on it is
left; what the end of the program leaves of it is deleted by the next open, for the store knows it
to be superseded (``index.storage.superseded``).
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import remove_folder


class Lease:
    """One reader's hold on a folder, until ``release`` or until nobody refers to the lease."""

    __slots__ = ("__weakref__", "_end", "_sweep")

    def __init__(self, ended: Callable[[Path], None], sweep: Callable[[], None], at: Path) -> None:
        self._end = weakref.finalize(self, ended, at)
        # A finalizer rather than `__del__`: it runs once, by `release` or when the lease goes.
        self._end.atexit = False  # the next open deletes what is left
        self._sweep = sweep

    def release(self) -> None:
        """Give the folder up; it is removed here if it waited for this. Again is fine."""
        self._end()
        self._sweep()


class Leases:
    """Of the folders of one collection; any thread may call any method."""

    def __init__(self) -> None:
        self._held: Counter[Path] = Counter()
        self._retired: dict[Path, Directory] = {}
        # a lease may end inside any allocation, with the lock held: only the queue bears that
        self._ended: SimpleQueue[Path] = SimpleQueue()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many folders were retired and are still there for their readers."""
        return len(self._retired)

    @property
    def is_due(self) -> bool:
        """Tell whether a lease has ended while folders wait."""
        return bool(self._retired) and not self._ended.empty()

    def take(self, folder: Directory) -> Lease:
        """Hold a folder that is listed, or that the caller has a lease on already."""
        with self._lock:
            # Under the lock that `sweep` counts with: a folder that is taken now is not removed by
            # a sweep that has just found nobody reading it.
            self._held[folder.path] += 1
        return Lease(self._ended.put, self.sweep, folder.path)

    def retire(self, folder: Directory) -> None:
        """Remove a folder that no table lists any more, as soon as nobody reads it."""
        with self._lock:
            self._retired[folder.path] = folder
        self.sweep()

    def sweep(self) -> None:
        """Remove what is retired, and read by nobody any more."""
        with self._lock:
            while True:
                try:
                    self._held[self._ended.get_nowait()] -= 1
                except Empty:
                    break
            free = [self._retired.pop(path) for path in [*self._retired] if not self._held[path]]
            # Drops the paths that nobody holds, which the counter would keep for ever.
            self._held = +self._held
        for folder in free:  # no lock meanwhile: a large one takes long
            remove_folder(folder)
