"""Other names of collections, kept in a small file beside them, and once more in a copy of it.

A list of changes holds as a whole or not at all, also after a crash. Readers take the mapping,
which is replaced and never changed. Where neither file can be read no alias is known: names that no
collection has are answered with the damage, for each of them may be one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from palimpsest.index.config.collection import AT
from palimpsest.index.errors import (
    AliasNotFound,
    CollectionExists,
    CollectionNotFound,
    Damaged,
    InvalidInput,
    StorageError,
    StorageFull,
    fresh,
)
from palimpsest.index.storage.doubled import Doubled

FILE = "aliases.json"
_REMEDY = (
    "restore the file from a backup, or delete it and its copy and create the aliases anew; then "
    "restart the server"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CreateAlias:
    """Let ``alias`` mean ``collection``, whatever it meant before."""

    alias: str
    collection: str


@dataclass(frozen=True, slots=True)
class DeleteAlias:
    """Forget ``alias``; one that does not exist is fine."""

    alias: str


@dataclass(frozen=True, slots=True)
class RenameAlias:
    """Give what ``old`` means to ``new``."""

    old: str
    new: str


AliasChange: TypeAlias = CreateAlias | DeleteAlias | RenameAlias


class Aliases:
    """The aliases of one data directory. Changes are ordered by the caller's lock."""

    def __init__(self, folder: Path, collections: Iterable[str]) -> None:
        """Read the files; aliases of collections that are gone are forgotten.

        Raises:
            UnknownFormat: the files were written by a newer release.
            StorageError: one of its other subclasses but Damaged, see ``damage``.
        """
        self._files = Doubled(folder / FILE, "aliases", _REMEDY)
        self.damage: Damaged | None = None
        held = set(collections)
        self.mapping: Mapping[str, str] = {}
        try:
            self.mapping = self._files.read() or {}
        except Damaged as error:
            _log.error("No alias is known: %s", error)
            self.damage = error
        gone = set(self.mapping.values()) - held
        if gone:  # the program ended while one was dropped; a new one must not inherit its aliases
            kept = {alias: name for alias, name in self.mapping.items() if name in held}
            with suppress(StorageFull):  # forgotten for now, and tried again on the next open
                self._replace(kept)
            self.mapping = kept

    def require_known(self) -> None:
        """Raise Damaged where what aliases there are is not known."""
        if self.damage is not None:
            raise fresh(self.damage)

    def change(self, changes: Sequence[AliasChange], collections: Iterable[str]) -> None:
        """Carry out all changes, one after the other, or none of them.

        Raises:
            CollectionNotFound: an alias is to mean a collection that does not exist.
            InvalidInput: an alias is to mean one version of a collection.
            CollectionExists: an alias is the name of a collection.
            AliasNotFound: there is no alias to rename.
            Damaged: what aliases there are is not known.
        """
        self.require_known()
        held = set(collections)
        # On a copy: a change that fails leaves all as it was, and readers meanwhile see one or the
        # other.
        mapping = dict(self.mapping)
        for change in changes:
            _apply(mapping, change, held)
        self._replace(mapping)

    def forget(self, collection: str) -> None:
        """Delete every alias of a collection; where none is known the next open does it."""
        kept = {alias: name for alias, name in self.mapping.items() if name != collection}
        if len(kept) < len(self.mapping):
            self._replace(kept)

    def _replace(self, mapping: dict[str, str]) -> None:
        if mapping != self.mapping:
            # On disk before it is in force: what an answer says must not be forgotten by a crash.
            self._files.write(dict(mapping))
            self.mapping = mapping


def _apply(mapping: dict[str, str], change: AliasChange, collections: set[str]) -> None:
    if isinstance(change, DeleteAlias):
        mapping.pop(change.alias, None)
        return
    new = change.alias if isinstance(change, CreateAlias) else change.new
    if new in collections:
        raise CollectionExists(new)
    if isinstance(change, RenameAlias):
        if change.old not in mapping:
            raise AliasNotFound(change.old)
        mapping[new] = mapping.pop(change.old)
    else:
        if change.collection not in collections:
            whole, at, version = change.collection.rpartition(AT)
            if at and whole in {*collections, *mapping}:
                raise InvalidInput(
                    f"{change.collection!r} is version {version!r} of {whole!r}, and an alias is "
                    f"of a whole collection: let it mean {mapping.get(whole, whole)!r} and ask for "
                    f"'{change.alias}{AT}{version}'"
                )
            raise CollectionNotFound(change.collection)
        mapping[new] = change.collection


def read_aliases(path: Path) -> tuple[dict[str, str], list[StorageError]]:
    """Return what each alias means, and what is wrong with one of its files; changes nothing.

    Raises:
        Damaged: neither file says what was written.
        UnknownFormat: the files were written by a newer release.
        StorageError: one of its other subclasses: neither can be read.
    """
    mapping, wrong = Doubled(path, "aliases", _REMEDY).look()
    return mapping or {}, wrong
