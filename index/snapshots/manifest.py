"""What a snapshot says of itself: the first file of its archive, which vouches for all others.

It gives the format, the release and the collection, and for each further file, in the order of the
archive, its place in the collection's folder, its length and its CRC-32. Its own CRC-32 goes around
it. Names are held against patterns before anything else is done with them: none can lead elsewhere.

Formats: 1, the first.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS

FORMAT = 1
MANIFEST = "manifest.json"
STORE = "store.sqlite3"
MAX_BYTES = 64 << 20  # of a manifest: some 300,000 files
# short enough for the header of a member
_PLACE = re.compile(
    rf"(?:{SEGMENTS}|{FIELDS}|{ADAPTERS})/[0-9A-Za-z_-]{{1,40}}/[0-9A-Za-z_.-]{{1,48}}"
)
_REMEDY = "take another snapshot: this file is other than was written"


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a collection: its place below the folder, its bytes, its CRC-32."""

    place: str
    nbytes: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Of one collection. ``created`` is in whole seconds since the epoch."""

    release: str
    collection: str
    created: int
    store_format: int
    points: int
    reach: str  # of the store: which commit this is
    config: dict[str, Any]
    files: tuple[Kept, ...]  # the store first

    @property
    def nbytes(self) -> int:
        """Bytes of all files together."""
        return sum(one.nbytes for one in self.files)

    def folders(self) -> set[tuple[str, str]]:
        """Return kind and name of each folder that files are in."""
        split = [one.place.split("/") for one in self.files[1:]]
        return {(kind, name) for kind, name, _ in split}

    def to_bytes(self) -> bytes:
        """Return it as it is stored."""
        said = {
            "format": FORMAT,
            "release": self.release,
            "collection": self.collection,
            "created": self.created,
            "store_format": self.store_format,
            "points": self.points,
            "reach": self.reach,
            "config": self.config,
            "files": [[one.place, one.nbytes, one.checksum] for one in self.files],
        }
        text = json.dumps(said)
        return json.dumps({"crc32": zlib.crc32(text.encode()), "snapshot": text}).encode()


def sealed_text(text: bytes, path: Path) -> dict[str, Any]:
    """Return what a text says that carries its own checksum, as ``to_bytes`` writes it.

    Raises:
        Damaged: it is none, or another than was written.
        UnknownFormat: a newer release wrote it.
    """
    try:
        outer = json.loads(text)
        checksum, inner = outer["crc32"], outer["snapshot"]
        found = zlib.crc32(inner.encode())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, "a manifest", f"{type(error).__name__}", "text") from None
    if found != checksum:
        raise damaged(path, checksum, found, "checksum of the manifest")
    try:
        said: dict[str, Any] = json.loads(inner)
        format = said["format"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise damaged(path, "a manifest", f"{type(error).__name__}", "text") from None
    if format != FORMAT:
        raise UnknownFormat(path, format, FORMAT)
    return said


def read_manifest(text: bytes, path: Path) -> Manifest:
    """Return what ``to_bytes`` wrote into a snapshot. Raises as ``sealed_text``."""
    said = sealed_text(text, path)
    try:
        manifest = Manifest(
            str(said["release"]),
            str(said["collection"]),
            _whole(said["created"]),
            _whole(said["store_format"]),
            _whole(said["points"]),
            str(said["reach"]),
            dict(said["config"]),
            tuple(Kept(str(p), _whole(n), _whole(c)) for p, n, c in said["files"]),
        )
    except (ValueError, LookupError, TypeError) as error:
        raise damaged(path, "a manifest", repr(error), "text") from None
    _require_places(manifest.files, path)
    return manifest


def _whole(value: object) -> int:
    """Return a count as it is; JSON has other numbers, and they would be taken for it later."""
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(f"expected a count, got {value!r:.40}")
    return value


def _require_places(files: Iterable[Kept], path: Path) -> None:
    places = [one.place for one in files]
    if places[:1] != [STORE]:
        raise damaged(path, STORE, repr(places[:1])[:80], "first file")
    for place in places[1:]:
        name = place.rpartition("/")[2]
        if _PLACE.fullmatch(place) is None or name.startswith("."):
            raise damaged(path, "a file of a collection", f"{place!r:.80}", "name of a file")
    if len(set(places)) != len(places):
        raise damaged(path, "each file once", "one twice", "list of files")


def damaged(path: Path, expected: object, found: object, what: str) -> Damaged:
    """Return the error of a snapshot that is not what was written."""
    return Damaged(path, expected, found, what, _REMEDY)
