"""Puts folders in the places of collections, all or none, so that a kill leaves it one way whole.

Until it is decided, ``unfinished/<id>.undo`` says how all was: ``old/`` holds the folders that gave
way, ``none/`` an empty file for each collection that there was not. Its new name at the end is the
decision, and the data directory is opened only once whatever a kill left undecided was undone. So
an old folder comes back as long as nobody was told of the new one, and never later.
"""

from __future__ import annotations

import logging
import uuid
from pathlib import Path

from palimpsest.index.storage.directory import remove_quietly
from palimpsest.index.storage.local import Local

_UNDO, _GONE = ".undo", ".gone"
_OLD, _NONE = "old", "none"
_log = logging.getLogger(__name__)


class Swaps:
    """Those that are decided together: ``swap`` each, then ``commit`` or ``undo``.

    Nobody may have a folder open that gives way, and nobody may be answered from a new one before
    ``commit`` returned. Whatever raises, ``undo`` is to be called.
    """

    def __init__(self, collections: Local, unfinished: Local) -> None:
        """Begin. Raises OSError."""
        self._collections, self._unfinished = collections, unfinished
        self._id = uuid.uuid4().hex
        self._begun = False

    def swap(self, staged: Local, name: str) -> None:
        """Give a whole, synced folder the name of a collection, which may be there. Raises OSError.

        What a folder came to is synced before what it came from: a power cut may leave it in both.
        """
        if not self._begun:
            self._begin()
        old, none = self._undoing / _OLD, self._undoing / _NONE
        if self._collections.has(name):
            self._collections.rename(name, old, name)
            old.sync()
            self._collections.sync()
        else:
            none.write(name, ())
            none.sync()
        staged.parent.rename(staged.path.name, self._collections, name)
        self._collections.sync()
        staged.parent.sync()

    def commit(self) -> None:
        """Decide that it stays so; durable on return. Raises OSError."""
        self._unfinished.rename(self._id + _UNDO, self._unfinished, self._id + _GONE)
        self._unfinished.sync()

    def tidy(self) -> None:
        """Delete the old folders; what is left of them goes when the directory is opened."""
        remove_quietly(self._unfinished, self._id + _GONE)

    def undo(self) -> None:
        """Let all be as it was. Raises OSError: then it will be at the next opening."""
        if self._unfinished.has(self._id + _GONE):  # a commit that could not be synced
            self._unfinished.rename(self._id + _GONE, self._unfinished, self._id + _UNDO)
            self._unfinished.sync()
        if self._unfinished.has(self._id + _UNDO):
            _undo(self._undoing, self._collections)
            self.commit()  # of nothing any more
            self.tidy()

    @property
    def _undoing(self) -> Local:
        return self._unfinished / (self._id + _UNDO)

    def _begin(self) -> None:
        self._undoing.create()
        self._begun = True
        for name in (_OLD, _NONE):
            (self._undoing / name).create()
        self._undoing.sync()
        self._unfinished.sync()


def settle(collections: Local, unfinished: Local) -> None:
    """Undo what a kill left undecided; under the lock of the data directory.

    Raises:
        OSError: of the file system.
    """
    for undoing in _undecided(unfinished):
        for name in _undo(undoing, collections):
            _log.warning("A restore of collection %r was cut off: it is as it was", name)
        undoing.parent.rename(undoing.path.name, unfinished, uuid.uuid4().hex + _GONE)
        unfinished.sync()


def left_behind(unfinished: Local) -> list[Path]:
    """Return where collections are that ``settle`` would put back. Raises OSError."""
    folders = [undoing / _OLD for undoing in _undecided(unfinished)]
    return [old.path / name for old in folders if old.exists() for name in old.list()]


def _undecided(unfinished: Local) -> list[Local]:
    if not unfinished.exists():
        return []
    return [unfinished / entry for entry in unfinished.list() if entry.endswith(_UNDO)]


def _undo(undoing: Local, collections: Local) -> list[str]:
    """Let all be as it was, durably; return what was put back or taken away. Raises OSError."""
    old, none = undoing / _OLD, undoing / _NONE
    names = [name for folder in (none, old) if folder.exists() for name in folder.list()]
    for name in names:
        if collections.has(name):  # the new one
            collections.rename(name, undoing.parent, uuid.uuid4().hex)
        if old.has(name):
            old.rename(name, collections, name)
    # before what says that it is to be done
    collections.sync()
    undoing.parent.sync()
    for folder in (old, none):
        if folder.exists():
            folder.sync()
    return names
