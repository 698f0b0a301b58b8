"""Snapshots of all collections in one file: those of each, one after the other, and the aliases.

Each collection is held as of a commit of its own, and only while it is written. What the archive
holds is told at its end, by a manifest like that of one collection: which collections, in order,
and the aliases as they were before the first.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from palimpsest.index.snapshots.archive import END, ArchiveReader, header_of, member, padding
from palimpsest.index.snapshots.manifest import FORMAT, MAX_BYTES, damaged, sealed_text

CONTENTS = "contents.json"
_DIGITS = 6  # of the number of a collection in the archive


@dataclass(frozen=True, slots=True)
class Contents:
    """What all collections together are: ``created`` in whole seconds since the epoch."""

    release: str
    created: int
    collections: tuple[str, ...]
    aliases: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        said = {
            "format": FORMAT,
            "release": self.release,
            "created": self.created,
            "collections": list(self.collections),
            "aliases": dict(self.aliases),
        }
        text = json.dumps(said)
        return json.dumps({"crc32": zlib.crc32(text.encode()), "snapshot": text}).encode()


def name_of(number: int) -> str:
    """Return the name of the archive of the n-th collection."""
    return f"{number:0{_DIGITS}}.snapshot"


def one_of_many(number: int, created: int, nbytes: int, parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the archive of a collection, of so many bytes, as a member of the whole one."""
    yield header_of(name_of(number), nbytes, created)
    yield from parts
    yield padding(nbytes)


def ending(contents: Contents) -> Iterator[bytes]:
    """Yield what stands behind the last collection."""
    yield from member(CONTENTS, contents.created, contents.to_bytes())
    yield END


def read_whole(archive: ArchiveReader, each: Callable[[ArchiveReader], str]) -> Contents:
    """Read an archive of all collections.

    Args:
        archive: at its beginning.
        each: reads the archive of one collection to its end, and returns the collection's name.

    Raises:
        Damaged: it is not what was written.
        UnknownFormat: a newer release wrote it.
    """
    names: list[str] = []
    while True:
        header = archive.header()
        if header is None:
            raise damaged(archive.path, CONTENTS, "its end", "archive")
        name, nbytes, created = header
        if name == CONTENTS:
            break
        if name != name_of(len(names)):
            raise damaged(archive.path, name_of(len(names)), f"{name!r:.80}", "member")
        inner = ArchiveReader(archive.path, archive.content(nbytes))
        names.append(each(inner))
    if nbytes > MAX_BYTES:
        raise damaged(archive.path, f"at most {MAX_BYTES} bytes", nbytes, CONTENTS)
    said = sealed_text(b"".join(archive.content(nbytes)), archive.path)
    try:
        aliases = {str(alias): str(name) for alias, name in said["aliases"].items()}
        contents = Contents(str(said["release"]), created, tuple(said["collections"]), aliases)
    except (LookupError, TypeError, AttributeError) as error:
        raise damaged(archive.path, "contents", repr(error)[:80], "text") from None
    if said["created"] != created or list(contents.collections) != names:
        raise damaged(archive.path, f"{names}"[:200], f"{contents.collections}"[:200], "contents")
    if not {*aliases.values()} <= {*names} or {*aliases} & {*names} or len({*names}) < len(names):
        raise damaged(archive.path, "each name once", f"{names}, {aliases}"[:200], "names")
    if archive.header() is not None:
        raise damaged(archive.path, "its end", "another member", "archive")
    return contents
