"""Puts the folder of a collection in the place of another, so that a kill leaves one of them whole.

The old folder is moved into ``unfinished/<id>.old/<name>``, then the new one gets its name. So what
lies there and has no namesake among the collections is what a kill left without its place: it is
put back when the data directory is opened. Everything else there is of no use.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.storage.directory import remove_quietly
from palimpsest.index.storage.local import Local

_OLD, _GONE = ".old", ".gone"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swap:
    """One that was made: ``finish`` it, or ``undo`` it. Both raise OSError."""

    name: str
    collections: Local
    unfinished: Local
    id: str

    def finish(self) -> None:
        """Delete the old folder."""
        # By one rename first: a kill in the middle of deleting it must not leave half of it where
        # it would be taken for one to put back.
        if self.unfinished.has(self.id + _OLD):
            self.unfinished.rename(self.id + _OLD, self.unfinished, self.id + _GONE)
            self.unfinished.sync()
            remove_quietly(self.unfinished, self.id + _GONE)

    def undo(self) -> None:
        """Put the old folder back, if there was one, and the new one aside."""
        self.collections.rename(self.name, self.unfinished, self.id)
        self._restore()
        self.unfinished.sync()
        self.collections.sync()
        remove_quietly(self.unfinished, self.id)

    def _restore(self) -> None:
        old = self.unfinished / (self.id + _OLD)
        if old.has(self.name):
            old.rename(self.name, self.collections, self.name)


def swap(collections: Local, unfinished: Local, staged: Local, name: str) -> Swap:
    """Give a whole, synced folder the name of a collection, in the place of one that is there.

    Nobody may have the old one open. On failure all is as it was.

    Raises:
        OSError: of the file system.
    """
    made = Swap(name, collections, unfinished, uuid.uuid4().hex)
    old = unfinished / (made.id + _OLD)
    try:
        if collections.has(name):
            old.create()
            unfinished.sync()
            collections.rename(name, old, name)
            # where it came to before where it went from: a power cut may leave it in both
            old.sync()
            collections.sync()
        staged.parent.rename(staged.path.name, collections, name)
        collections.sync()
        staged.parent.sync()
    except BaseException:
        if not collections.has(name):
            made._restore()
        raise
    return made


def settle(collections: Local, unfinished: Local) -> None:
    """Put back what a kill left without its place; under the lock of the data directory.

    Raises:
        OSError: of the file system.
    """
    for path in left_behind(collections, unfinished):
        old = Local(path.parent)
        old.rename(path.name, collections, path.name)
        collections.sync()
        old.sync()
        _log.warning("A restore of collection %r was cut off: it is as it was", path.name)


def left_behind(collections: Local, unfinished: Local) -> list[Path]:
    """Return where collections are that a kill left without their place. Raises OSError."""
    if not unfinished.exists():
        return []
    old = [unfinished / entry for entry in unfinished.list() if entry.endswith(_OLD)]
    paths = [folder.path / name for folder in old for name in folder.list()]
    return [path for path in paths if not collections.has(path.name)]
