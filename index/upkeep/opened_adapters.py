"""Opens the adapters of a collection; one that is damaged keeps no point from being read.

An adapter can be fitted again, and searches that need it are refused meanwhile. Where the row that
names its folder is damaged, a row without a folder takes its place, so that the damage is told
until the adapter has been fitted again or dropped. The folder itself is then listed by nothing, and
is set aside.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.errors import Damaged
from palimpsest.index.storage.adapter_table import AdapterEntry
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.store import Store

_log = logging.getLogger(__name__)
_Ends = tuple[int, int]  # columns of the rows and of the queries


@dataclass(frozen=True, slots=True, eq=False)
class OpenedAdapters:
    """Adapters by their ends, what is wrong with those that cannot be opened, and the folders."""

    fitted: Mapping[_Ends, Fitted]
    damaged: Mapping[_Ends, str]
    folders: Mapping[_Ends, str]


def open_adapters(
    store: Store, folder: Directory, config: CollectionConfig, known: OpenedAdapters | None = None
) -> OpenedAdapters:
    """Return the adapters of a store; those whose folders are ``known`` as they are.

    Raises:
        UnknownFormat: a newer release wrote one.
    """
    entries, damaged = _entries(store, config)
    fitted, before = {}, known or OpenedAdapters({}, {}, {})
    for entry in entries:
        ends = entry.rows, entry.queries
        if ends in damaged:
            continue
        if ends in before.fitted and before.folders[ends] == entry.folder:
            fitted[ends] = before.fitted[ends]
            continue
        try:
            fitted[ends] = Fitted.open(folder / entry.folder, entry.checksum)
        except Damaged as error:
            _log.error("An adapter is fitted again if points tell of it, and else to be: %s", error)
            damaged[ends] = str(error)
    folders = {(entry.rows, entry.queries): entry.folder for entry in entries}
    return OpenedAdapters(fitted, damaged, folders)


def _entries(store: Store, config: CollectionConfig) -> tuple[list[AdapterEntry], dict[_Ends, str]]:
    """Return what the store lists, and what is wrong with rows that say which adapter they name."""
    whole, bad = store.adapters.parted()
    try:
        store.require_counts("adapters")
    except Damaged as error:
        _log.error("An adapter is gone; fit it again: %s", error.finding)
    else:
        if not bad:
            return whole, {}
    columns = {number for number, name in enumerate(config.columns) if name is not None}
    known = {(entry.rows, entry.queries) for entry in whole}
    damaged: dict[_Ends, str] = {}
    for one in bad:
        _log.error("An adapter is fitted again if points tell of it, and else to be: %s", one.error)
        if one.ends is not None and {*one.ends} <= columns and one.ends not in known:
            damaged[one.ends] = str(one.error)
    entries = [*whole, *(_without_folder(ends) for ends in damaged)]
    if not store.read_only:
        with store.transaction(frees=True):
            store.adapters.put_anew(entries)
    return entries, damaged


def _without_folder(ends: _Ends) -> AdapterEntry:
    rows, queries = ends
    return AdapterEntry(rows, queries, f"damaged-row-{rows}-{queries}", 0)
