"""What becomes of folders that no table of the store lists: deleted only if known to be useless.

Others are moved to ``lost+found`` in the collection's folder, whatever they are: they may hold what
the store lost.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from palimpsest.index.storage.files import remove_folder

SEGMENTS, FIELDS, ADAPTERS = "segments", "fields", "adapters"
LOST = "lost+found"
UNFINISHED = ".tmp"
_log = logging.getLogger(__name__)


def tidy(parent: Path, listed: set[str], superseded: set[str]) -> None:
    """Delete entries of a folder that are useless, and move those that may not be. Raises OSError.

    Args:
        parent: a folder of folders.
        listed: the names that some table lists.
        superseded: names that may be deleted.
    """
    for entry in sorted(set(os.listdir(parent)) - listed):
        if entry in superseded or entry.endswith(UNFINISHED):
            remove_folder(parent / entry)
        else:
            set_aside(parent / entry)


def set_aside(folder: Path) -> None:
    """Move a folder of a collection to ``lost+found``. Raises OSError."""
    lost = folder.parent.parent / LOST
    lost.mkdir(exist_ok=True)
    kept = lost / f"{folder.parent.name}-{folder.name}"
    for number in range(1, 1_000):
        if not kept.exists():
            break
        kept = kept.with_name(f"{folder.parent.name}-{folder.name}.{number}")
    os.rename(folder, kept)
    _log.warning(
        "%s is not listed by its store, which does not know it to be superseded: it is kept as %s",
        folder,
        kept,
    )


def lost_folders(collection: Path) -> list[str]:
    """Return the names of what was moved to ``lost+found``."""
    try:
        return sorted(os.listdir(collection / LOST))
    except OSError:
        return []


def are_gone(collection: Path, names: set[str]) -> set[str]:
    """Return the names that no folder has any more."""
    kinds = (SEGMENTS, FIELDS, ADAPTERS)
    return {name for name in names if not any((collection / k / name).exists() for k in kinds)}
