"""Restores the snapshot that a server is started with, before it opens its data directory.

A server that is started again by whatever watches it is given the same snapshot again: collections
that are there are replaced by it only where that is asked for as well.
"""

from __future__ import annotations

import logging

from palimpsest.app.options.option import variable_of
from palimpsest.app.release import RELEASE
from palimpsest.app.settings import Misconfigured, Settings
from palimpsest.index import CollectionExists, restore_snapshot

log = logging.getLogger("palimpsest")


def restore_at_start(settings: Settings) -> None:
    """Restore the snapshot that settings name, if they do: all of it, or nothing.

    Raises:
        Misconfigured: a collection of it is there, and is not to be replaced.
        InvalidSnapshot, InvalidInput, StorageError: as ``restore_snapshot``.
    """
    path = settings.storage_snapshot
    if path is None:
        return
    log.info("The snapshot %s is restored", path)
    try:
        names = restore_snapshot(path, settings.data, RELEASE, replaces=settings.force_snapshot)
    except CollectionExists as error:
        raise Misconfigured(
            f"{path} holds a collection {error.name!r}, which is in {settings.data} already: start "
            f"without --storage-snapshot ({variable_of('storage_snapshot')}) once it is restored, "
            "or let it be replaced by --force-snapshot"
        ) from None
    log.info("Restored from %s: %s", path, ", ".join(map(repr, names)) or "no collection")
