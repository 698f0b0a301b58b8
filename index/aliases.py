"""Other names of collections, kept in one small file beside them.

The file is written whole: a new one beside it, synced, renamed over it, the folder synced. So a
list of changes holds as a whole or not at all, also after a crash. Readers take the mapping, which
is replaced and never changed.

Formats: 1, the first.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from index.collection_config import AT
from index.errors import (
    AliasNotFound,
    CollectionExists,
    CollectionNotFound,
    Damaged,
    InvalidInput,
    StorageFull,
    UnknownFormat,
)
from index.storage.causes import disk_errors
from index.storage.files import sync_folder

FORMAT = 1
FILE = "aliases.json"
_REMEDY = "restore the file from a backup, or delete it and create the aliases anew"


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
        """Read the file; aliases of collections that are gone are forgotten.

        Raises:
            Damaged: the file does not say what was written.
            UnknownFormat: the file was written by a newer release.
        """
        self._path = folder / FILE
        held = set(collections)
        self.mapping: Mapping[str, str] = read_aliases(self._path)
        gone = set(self.mapping.values()) - held
        if gone:  # the program ended while one was dropped; a new one must not inherit its aliases
            kept = {alias: name for alias, name in self.mapping.items() if name in held}
            with suppress(StorageFull):  # forgotten for now, and tried again on the next open
                self._replace(kept)
            self.mapping = kept

    def change(self, changes: Sequence[AliasChange], collections: Iterable[str]) -> None:
        """Carry out all changes, one after the other, or none of them.

        Raises:
            CollectionNotFound: an alias is to mean a collection that does not exist.
            InvalidInput: an alias is to mean one version of a collection.
            CollectionExists: an alias is the name of a collection.
            AliasNotFound: there is no alias to rename.
        """
        held = set(collections)
        mapping = dict(self.mapping)
        for change in changes:
            _apply(mapping, change, held)
        self._replace(mapping)

    def forget(self, collection: str) -> None:
        """Delete every alias of a collection."""
        kept = {alias: name for alias, name in self.mapping.items() if name != collection}
        if len(kept) < len(self.mapping):
            self._replace(kept)

    def _replace(self, mapping: dict[str, str]) -> None:
        if mapping != self.mapping:
            _write(self._path, mapping)
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


def read_aliases(path: Path) -> dict[str, str]:
    """Return what the file says each alias means; none where there is no file.

    Raises:
        Damaged: the file does not say what was written.
        UnknownFormat: the file was written by a newer release.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        stored: dict[str, Any] = json.loads(text)
        found, checksum = stored["format"], stored["crc32"]
        mapping: dict[str, str] = stored["aliases"]
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(path, "aliases", repr(error), "text", _REMEDY) from error
    if found not in range(1, FORMAT + 1):
        raise UnknownFormat(path, found, FORMAT)
    if checksum != _checksum(mapping):
        raise Damaged(path, checksum, _checksum(mapping), "checksum", _REMEDY)
    return mapping


def _write(path: Path, mapping: Mapping[str, str]) -> None:
    stored = {"format": FORMAT, "crc32": _checksum(mapping), "aliases": mapping}
    unfinished = path.with_suffix(".tmp")
    with disk_errors(f"write {path}"):
        try:
            with open(unfinished, "w", encoding="utf-8") as file:
                json.dump(stored, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.rename(unfinished, path)
        except BaseException:
            with suppress(FileNotFoundError):
                unfinished.unlink()
            raise
        sync_folder(path.parent)


def _checksum(mapping: Mapping[str, str]) -> int:
    return zlib.crc32(json.dumps(mapping, sort_keys=True).encode())
