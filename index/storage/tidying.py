"""What becomes of folders that no table of the store lists: deleted only if known to be useless.

Others are moved to ``lost+found`` in the collection's folder, whatever they are: they may hold what
the store lost.
"""

from __future__ import annotations

import logging
from itertools import count
from typing import TypeVar

from palimpsest.index.storage.directory import Directory, make_folder
from palimpsest.index.storage.files import remove_folder

SEGMENTS, FIELDS, ADAPTERS = "segments", "fields", "adapters"
LOST = "lost+found"
UNFINISHED = ".tmp"
Folder = TypeVar("Folder", bound=Directory)
_log = logging.getLogger(__name__)


def tidy(parent: Directory, listed: set[str], superseded: set[str]) -> None:
    """Delete entries of a folder that are useless, and move those that may not be. Raises OSError.

    Args:
        parent: a folder of folders.
        listed: the names that some table lists.
        superseded: names that may be deleted.
    """
    for entry in sorted(set(parent.list()) - listed):
        if entry in superseded or entry.endswith(UNFINISHED):
            remove_folder(parent / entry)
        else:
            set_aside(parent / entry)


def set_aside(folder: Directory) -> None:
    """Move a folder of a collection to ``lost+found``. Raises OSError."""
    kind, name = folder.parent.path.name, folder.path.name
    lost, kept = place_for(folder.parent.parent, f"{kind}-{name}")
    folder.parent.rename(name, lost, kept)
    _log.warning(
        "%s is not listed by its store, which does not know it to be superseded: it is kept as %s",
        folder.path,
        lost.path / kept,
    )


def place_for(folder: Folder, name: str) -> tuple[Folder, str]:
    """Return ``lost+found`` of a folder, and a name that nothing has there. Raises OSError."""
    lost = folder / LOST
    make_folder(lost)  # durably: what is kept there may be needed after a power loss
    numbered = (f"{name}.{number}" if number else name for number in count())
    return lost, next(one for one in numbered if not lost.has(one))


def are_gone(collection: Directory, names: set[str]) -> set[str]:
    """Return the names that no folder has any more."""
    kinds = (SEGMENTS, FIELDS, ADAPTERS)
    return {name for name in names if not any((collection / k).has(name) for k in kinds)}
