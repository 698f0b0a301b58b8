"""Everything the engine refuses or fails at, as one tree.

PalimpsestError
├── InvalidInput            the request cannot be carried out as given; nothing was changed
│   ├── DimensionMismatch   a vector's length is not the one declared
│   ├── UnknownVectorName   the collection has no vector of that name
│   ├── InvalidVector       NaN, Inf, a zero vector under cosine, a ragged or empty batch
│   ├── InvalidId           neither an unsigned 64-bit integer nor a UUID
│   ├── InvalidConfig       a collection, index or search parameter out of range or contradictory
│   ├── InvalidPairs        too few, unequal or degenerate pairs to fit an adapter on
│   ├── NoRangeIndex        an order by values that no index keeps in order
│   ├── InvalidSnapshot     a file that cannot be restored: no snapshot, or not what was written
│   ├── MissingAdapter      points of one version cannot be found by queries of another
│   └── Unsupported         a known request this engine does not carry out
├── NotFound
│   ├── AdapterNotFound
│   ├── AliasNotFound
│   ├── CollectionNotFound
│   ├── PointNotFound
│   ├── SnapshotNotFound
│   ├── VectorNotFound
│   └── VersionNotFound
├── CollectionExists
├── NoRoom                  background work is put off until there is memory for it
├── VersionConflict         a change of versions that would lose points, quality or a declaration
└── StorageError            the disk said no, or no longer says what was written
    ├── StorageFull         no space: writes are refused, reads go on
    ├── BeingReplaced       a snapshot is just taking the collection's place: ask again
    ├── StoreFailed         SQLite or the file system failed; the write was not acknowledged
    │   ├── OutOfDescriptors    the process or the machine may open no more files
    │   ├── OutOfMemory         an allocation was refused
    │   ├── DiskFailed          the disk could not read or write (EIO)
    │   ├── NotPermitted        the server's user may not read or write a file
    │   ├── ReadOnlyDisk        the file system takes no writes
    │   └── SyncFailed      what was written may not be on the disk, whatever a later sync says
    ├── Damaged             a file's length or checksum is wrong; names the file
    │   └── DamagedPoint    what the store holds of a point contradicts the rest; names the point
    ├── UnknownFormat       a file's format number is newer than this release reads
    └── DirectoryLocked     another process serves this data directory, or repairs it

Each says what failed, what was expected, what was received and what to do. The last is a value
(``index.remedies``), where more than a word of advice is known: the engine names no call and no
setting of those who offer it, and of commands the doctor's alone. ``told`` gives the text with the
remedies in a caller's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from palimpsest.index.remedies import Act, FitAdapter, Remedy, in_words

QUOTES = "'\""


class PalimpsestError(Exception):
    """Base of every error raised on purpose by the engine.

    Args:
        problem: what failed, what was expected and what was received.
        remedies: what may help; one of them is enough.
    """

    joint: ClassVar[str] = ": "

    def __init__(self, problem: str, *remedies: Remedy) -> None:
        self.problem, self.remedies = problem, remedies
        super().__init__(self.told())

    def told(self, word: Callable[[Remedy], str] = str) -> str:
        """Return the text of the error, each remedy in the words of ``word``."""
        if not self.remedies:
            return self.problem
        return self.problem + self.joint + in_words(self.remedies, word)


class NoRoom(PalimpsestError):
    """Background work would take more memory than there is; it is tried again."""

    def __init__(self, needed: int) -> None:
        super().__init__(
            f"put off for want of memory: it needs about {needed} bytes, and is tried again; drop "
            "collections, delete points or allow more memory"
        )


class InvalidInput(PalimpsestError):
    """The request cannot be carried out as given; nothing was changed."""


class DimensionMismatch(InvalidInput):
    """A vector's length is not the one its name was declared with."""

    def __init__(self, expected: int, received: int, where: str = "") -> None:
        super().__init__(
            f"Vector dimension error: expected dim: {expected}, got {received}"
            + (f" ({where})" if where else "")
        )
        self.expected = expected
        self.received = received
        self.where = where


class UnknownVectorName(InvalidInput):
    """The collection has no vector of that name."""

    def __init__(self, name: str, known: list[str]) -> None:
        names = ", ".join(repr(n) for n in _told(sorted(known))) or "none"
        super().__init__(f"Not existing vector name error: {name} (declared: {names})")
        self.name = name


class InvalidVector(InvalidInput):
    """A vector holds NaN or Inf, is zero under cosine, or its batch is ragged or empty."""


class InvalidId(InvalidInput):
    """A point id is neither an unsigned 64-bit integer nor a UUID."""

    def __init__(self, received: object) -> None:
        try:
            shown = repr(received)
        except ValueError:  # Python writes no integer of so many digits
            shown = "of thousands of digits"
        super().__init__(
            f"Invalid point id {shown}: value {shown.strip(QUOTES)} is not a valid point ID, valid "
            "values are either an unsigned integer or a UUID"
        )


class InvalidConfig(InvalidInput):
    """A collection, index or search parameter is out of range or contradicts another."""


class InvalidPairs(InvalidInput):
    """Pairs of vectors that no adapter can be fitted on: too few, unequal, or degenerate."""


class NoRangeIndex(InvalidInput):
    """Points were to be ordered by values that no index keeps in order."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"No range index for `order_by` key: `{path}`. Please create one to use `order_by`: an "
            "integer (range), float or datetime index"
        )
        self.path = path


class MissingAdapter(InvalidInput):
    """Points that hold only one version were to be found by queries of another."""

    def __init__(self, vector: str, rows: str, queries: str, damage: str | None = None) -> None:
        why = "" if damage is None else f", as the adapter between them cannot be read ({damage})"
        super().__init__(
            f"Points that hold only version {rows!r} of vector {vector!r} cannot be found by "
            f"queries of version {queries!r}{why}",
            FitAdapter(vector, rows, queries),
            Act.LEAVE_OUT,
        )
        self.vector, self.rows, self.queries = vector, rows, queries


class InvalidSnapshot(InvalidInput):
    """A file that cannot be restored, as it is no snapshot or not what was written."""


class Unsupported(InvalidInput):
    """A known request that this engine does not carry out."""


class NotFound(PalimpsestError):
    """The named thing does not exist."""


class CollectionNotFound(NotFound):
    """No collection of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Collection `{name}` doesn't exist!")
        self.name = name


class AliasNotFound(NotFound):
    """No alias of that name."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"Alias {alias} does not exists!")
        self.alias = alias


class PointNotFound(NotFound):
    """No point of that id."""

    def __init__(self, point_id: object) -> None:
        super().__init__(f"No point with id {point_id} found")
        self.point_id = point_id


class SnapshotNotFound(NotFound):
    """No snapshot of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Snapshot {name:.255} not found")
        self.name = name


class VectorNotFound(NotFound):
    """Examples are to be read under a name that is not declared where they are read."""

    def __init__(self, name: str, collection: str, known: Iterable[str]) -> None:
        names = ", ".join(repr(n) for n in _told(sorted(known))) or "none"
        super().__init__(
            f"Vectors with name '{name}' not found in collection `{collection}` (declared: {names})"
        )
        self.name = name


class VersionNotFound(NotFound):
    """No version of that name."""

    def __init__(self, version: str, known: Iterable[str], collection: str | None = None) -> None:
        self.version, self.known = version, sorted(known)
        names = ", ".join(map(repr, self.known)) or "none"
        text = f"Version {version!r} is not declared (declared: {names})"
        if collection is not None:  # asked for as a collection of its own
            text = f"Collection `{collection}` doesn't exist! {text}"
        super().__init__(text)


class AdapterNotFound(NotFound):
    """No adapter between two versions."""

    def __init__(self, vector: str, rows: str, queries: str) -> None:
        super().__init__(
            f"There is no adapter from rows of version {rows!r} to queries of {queries!r}",
            FitAdapter(vector, rows, queries),
        )


class VersionConflict(PalimpsestError):
    """A change of versions that would lose points, quality or a declaration; nothing changed."""


class CollectionExists(PalimpsestError):
    """A collection of that name is already there."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Collection `{name}` already exists!")
        self.name = name


class StorageError(PalimpsestError):
    """The disk said no, or no longer says what was written."""

    joint = "; "


class StorageFull(StorageError):
    """No space left: the write was not acknowledged and left nothing behind; reads go on."""


class BeingReplaced(StorageError):
    """A snapshot is just taking the place of the collection."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Collection `{name}` is just being replaced by a snapshot: ask again in a second"
        )
        self.name = name


class StoreFailed(StorageError):
    """SQLite or the file system failed; the write was not acknowledged."""


class OutOfDescriptors(StoreFailed):
    """The process, or the machine, may open no more files; what lies on disk may be whole."""


class OutOfMemory(StoreFailed):
    """An allocation was refused; nothing was changed, and the server goes on."""


class DiskFailed(StoreFailed):
    """The disk could not read or write (EIO)."""


class NotPermitted(StoreFailed):
    """The server's user may not read or write a file."""


class ReadOnlyDisk(StoreFailed):
    """The file system takes no writes."""


class SyncFailed(StoreFailed):
    """A sync failed: the system may have dropped what was written, and says so only once."""


class Damaged(StorageError):
    """A file's length or checksum is not what was recorded when it was written."""

    def __init__(
        self,
        path: Path,
        expected: object,
        received: object,
        what: str,
        remedy: str = "restore the file from a backup",
    ) -> None:
        self.finding = f"{path} is damaged: {what} expected {expected}, found {received}"
        super().__init__(f"{self.finding}; {remedy}")
        self.path = path


class DamagedPoint(Damaged):
    """What the store holds of a point contradicts the rest of the collection."""

    def __init__(self, path: Path, point: object, problem: str) -> None:
        self.finding = f"{path} is damaged: point {point} {problem}"
        PalimpsestError.__init__(
            self,
            f"{self.finding}; restore the file from a backup. Other points are not touched by it",
        )
        self.path = path
        self.point = point


class UnknownFormat(StorageError):
    """A file carries a format number this release does not read."""

    def __init__(self, path: Path, found: object, newest: int) -> None:
        super().__init__(
            f"{path} has format {found}, this release reads formats 1 to {newest}; "
            "open it with the release that wrote it, or a newer one"
        )
        self.path = path


class DirectoryLocked(StorageError):
    """Another process serves this data directory, or repairs it."""

    def __init__(self, path: Path, *, repairing: bool = False) -> None:
        if repairing:
            super().__init__(f"{path} is being repaired by another process", Act.AWAIT_REPAIR)
        else:
            super().__init__(f"{path} is served by another process", Act.CHOOSE_DIRECTORY)
        self.path, self.repairing = path, repairing


def fresh(error: StorageError) -> StorageError:
    """Return an equal error that was never raised: each raise adds frames, and keeps them."""
    equal = type(error).__new__(type(error), *error.args)
    equal.__dict__.update(error.__dict__)
    return equal


def _told(names: list[str]) -> list[str]:
    """Return names that a text lists: none of the only version of a name that stands there too.

    A collection without versions answers to ``name@v1`` too, which its texts keep to themselves.
    """
    bases = [name.rpartition("@")[0] for name in names if "@" in name]
    return [
        name
        for name in names
        if "@" not in name
        or (base := name.rpartition("@")[0]) not in names
        or bases.count(base) > 1
    ]
