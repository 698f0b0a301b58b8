"""How many bytes snapshots take, for who looks often: a folder is listed once it has changed.

Only whole snapshots count, with their checksums: one that is being made shows when it has its name.
"""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from palimpsest.index.snapshots.shelf import Shelf, is_name
from palimpsest.index.storage.local import Local

_SETTLED_SECONDS = 1.0  # after which a change has another time than the one before


class Sizes:
    """Of one shelf; any thread may ask."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[int, int]] = {}  # when it changed (ns), and bytes then

    def by_collection(self, names: Sequence[str]) -> dict[str | None, int]:
        """Return the bytes of the snapshots of collections, and under None those of all others.

        These are of all collections together, and of those that are not named, or dropped.

        Raises:
            OSError: a folder cannot be listed.
        """
        with self._lock:
            found: dict[str | None, int] = {}
            paths = {self._shelf.of(name).path: name for name in names}
            for path, name in paths.items():
                found[name] = self._size(path)
            root = self._shelf.folder.path
            others = [path for path in _folders(root) if path not in paths]
            found[None] = self._size(root) + sum(map(self._size, others))
            kept = {root, *paths, *others}
            self._known = {path: one for path, one in self._known.items() if path in kept}
            return found

    def _size(self, folder: Path) -> int:
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
        known = self._known.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        size = _bytes_in(folder)
        if time.time() - changed / 1e9 > _SETTLED_SECONDS:
            self._known[folder] = changed, size
        return size


def _folders(root: Path) -> list[Path]:
    try:
        return [path for name in Local(root).list() if _is(path := root / name, stat.S_ISDIR)]
    except FileNotFoundError:
        return []


def _bytes_in(folder: Path) -> int:
    total = 0
    for name in Local(folder).list():
        if is_name(name.removesuffix(".sha256")):
            try:
                found = (folder / name).lstat()
            except FileNotFoundError:  # deleted meanwhile
                continue
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.lstat().st_mode)
    except FileNotFoundError:  # deleted meanwhile
        return False
