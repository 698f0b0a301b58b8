"""The payload indexes of a collection: kept by its writer, read by searches.

One lock is held for short: by a reader per condition, by a writer per ``_CHUNK`` points. A reader
may see a write that its view does not hold yet, or the other way round; what it gets is cut with
its own live points.

``replace`` bears being told of a point a second time, and of a payload that is newer than the one
it is told was there before: a field built from stored pages meanwhile has seen it already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.decoding import Decode, key_decoder
from palimpsest.index.filters.expression import Field, Filter, Path
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.filters.tokens import Tokenizer
from palimpsest.index.filters.values import stored_at
from palimpsest.index.payload.automatic import Automatic
from palimpsest.index.payload.candidates import Candidates
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.field import IndexedField
from palimpsest.index.payload.lookup import ExactMatches
from palimpsest.index.payload.postings import Arrays, Value
from palimpsest.index.payload.texts import Texts
from palimpsest.index.payload.values import Read, read_moment, read_number

# Of what `to_arrays` returns, and of the code that filled it: 1, keys that are not ASCII had no
# values, and points with numbers that the column does not hold were not told from others; 2, today.
ARRAYS_FORMAT = 2
# A search that filters waits for the lock in the event loop's thread: a write of a thousand points
# must not keep it for longer than that.
_CHUNK = 256  # points per hold of the lock: about 6 ms with a text index


class OrderColumn(NamedTuple):
    """The values of a field in the order of points: one row per value, so several per array.

    ``numbers`` (m,) uint32, ``values`` (m,) int64 or float64; moments are microseconds since 1970.
    Points of ``unread`` are in no row: they hold a value that the column does not, so ``read`` has
    to tell what their payloads hold.
    """

    numbers: NDArray[np.uint32]
    values: NDArray[np.int64] | NDArray[np.float64]
    unread: BitMap
    read: Read


class Building:
    """A field that does not answer yet; made by ``PayloadIndexes.begin``.

    One that is built ``again`` has answered before: its texts are cut as it declares, and an order
    by it is found in the payloads.
    """

    def __init__(
        self,
        key: str,
        config: FieldIndex,
        lock: threading.Lock,
        again: bool = False,
        automatic: bool = False,
    ) -> None:
        self.key = key
        self.again = again
        self.automatic = automatic
        self.path = parse_path(key)
        self.field = IndexedField(config)
        self.known = BitMap()  # points that are in, or that a write has touched
        self._lock = lock

    def add(self, numbers: Sequence[int], payloads: Sequence[bytes | None]) -> None:
        """Add stored points; those touched by a write since the beginning are left as they are."""
        decode = key_decoder({str(self.path[0])})
        for places in _chunks(range(len(numbers))):
            with self._lock:
                # A write that came since has already put its payload there; the stored one that is
                # read here may be the older.
                new = [place for place in places if numbers[place] not in self.known]
                added = [int(numbers[place]) for place in new]
                found = [decode(payloads[place]) for place in new]
                self.field.add(added, _stored(found, self.path))
                self.known.update(added)

    def order_column(self, allowed: BitMap) -> OrderColumn | None:
        """Return that the payloads of all points are to be read; None without an order."""
        if self.field.ordered is None:
            return None
        read = read_moment if self.field.config.kind == "datetime" else read_number
        return OrderColumn(np.empty(0, np.uint32), np.empty(0, np.int64), allowed, read)


class PayloadIndexes:
    """All payload indexes of one collection; a key is the text of a path."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, Path] = {}  # as they were declared
        self._fields: dict[Path, IndexedField] = {}
        self._building: list[Building] = []
        self._again: dict[Path, Building] = {}  # those of them that are built again
        self._decode: Decode = key_decoder(())
        self.automatic = Automatic()

    def __len__(self) -> int:
        # Followed are all: a write that none has to follow reads no payload that was there before.
        return len(self._fields) + len(self._building) + len(self.automatic.fields)

    @property
    def are_kept(self) -> bool:
        """Whether some field was declared, which is written to disk and brought up to date."""
        building = (each for each in self._building if not each.automatic)
        return bool(self._fields) or any(building)

    @property
    def fields(self) -> Mapping[str, FieldIndex]:
        """The fields that answer, by key."""
        return {key: field.config for key, field in self._each()}

    @property
    def declared(self) -> Mapping[str, FieldIndex]:
        """The fields that answer and those that are built again, by key."""
        again = self._again.values()
        return {**{each.key: each.field.config for each in again}, **self.fields}

    @property
    def points(self) -> Mapping[str, int]:
        """How many points have a value of the index's kind, by key, so far when built again."""
        again = self._again.values()
        held = {key: field.points for key, field in self._each()}
        return {**{each.key: each.field.points for each in again}, **held}

    @property
    def nbytes(self) -> Mapping[str, int]:
        """Resident bytes by path."""
        with self._lock:
            return {key: field.nbytes for key, field in self._each()}

    @property
    def tokenizers(self) -> Mapping[Path, Tokenizer]:
        """The tokenizers of text fields, for ``compile_filter``."""
        again = [(path, each.field) for path, each in self._again.items()]
        return {
            path: part.tokenizer
            for path, field in (*again, *self._fields.items())
            for part in field.parts.values()
            if isinstance(part, Texts)
        }

    def replace(
        self,
        numbers: Sequence[int],
        before: Sequence[bytes | None],
        after: Sequence[bytes | None],
    ) -> None:
        """Follow a write: points with their payloads before and after it, each number once.

        A new point, and one without payload, has None before; a deleted one has None after.
        """
        changed = [place for place in range(len(numbers)) if before[place] != after[place]]
        for places in _chunks(changed):
            olds = [(int(numbers[place]), before[place]) for place in places]
            news = [(int(numbers[place]), after[place]) for place in places]
            with self._lock:
                self._change(olds, news)

    def discard(self, numbers: BitMap) -> None:
        """Forget points, whatever their payloads were: one pass over all indexes."""
        with self._lock:
            for field in self._fields.values():
                field.discard(numbers)
            for _, field in self.automatic.fields:
                field.discard(numbers)
            for building in self._building:
                building.field.discard(numbers)
                building.known |= numbers

    def beyond(self, live: BitMap) -> list[str]:
        """Return the keys of fields that answer and name points that are not live."""
        return [key for key, field in self._each() if not field.presence.known.issubset(live)]

    def has(self, path: Path) -> bool:
        """Tell whether a field answers at the path."""
        return path in self._fields or bool(self.automatic.at(path))

    def left_open(self, condition: Field) -> int | None:
        """Return how many payloads a declared index leaves to be read of a match or bounds.

        None for all of them.
        """
        field = self._fields.get(condition.path)
        return None if field is None else field.left_open(condition)

    def read(self, filter: Filter) -> None:
        """Take that the payloads of many points were read for a filter (``automatic``)."""
        self.automatic.read(filter, self._fields)

    def candidates(self, condition: Field, live: BitMap) -> Candidates | None:
        """Return which points match a condition, None when no index says anything on it.

        The sets may hold points that are not live.
        """
        field = self._fields.get(condition.path)
        fields = self.automatic.at(condition.path) if field is None else (field,)
        if not fields:
            return None
        with self._lock:
            answers = [one.candidates(condition, live) for one in fields]
        # All are right; one of another kind of value leaves every payload open.
        known = [one for one in answers if one is not None]
        return min(known, key=lambda one: len(one.maybe), default=None)

    def order_column(self, path: Path, allowed: BitMap) -> OrderColumn | None:
        """Return the values to order by, unsorted; None when no index of the path has an order."""
        again = self._again.get(path)  # looked up first: what is finished meanwhile is found next
        field = self._fields.get(path)
        if field is None:
            return None if again is None else again.order_column(allowed)
        if (part := field.ordered) is None:
            return None
        moments = field.config.kind == "datetime"
        with self._lock:
            unread = BitMap() if moments else field.presence.numbers & allowed
            held = allowed - unread if unread else allowed
            pairs = part.column.pairs(held)
        return OrderColumn(*pairs, unread, read_moment if moments else read_number)

    def value_counts(self, path: Path, allowed: BitMap) -> list[tuple[Value, int]] | None:
        """Return values and the number of allowed points that hold each.

        None when no index of exact matches has the path, when it does not know all values of the
        allowed points, or when it would take longer than to read their payloads.
        """
        field = self._fields.get(path)
        part = next(iter(field.parts.values())) if field is not None else None
        if field is None or not isinstance(part, ExactMatches):
            return None
        with self._lock:
            if field.presence.others.intersect(allowed):
                return None
            # Every value is looked at, whoever holds it. With ten values for each point that is
            # asked for, reading their payloads costs about as much.
            return part.postings.counts(allowed) if len(part) <= 10 * len(allowed) else None

    def begin(
        self, key: str, config: FieldIndex, *, again: bool = False, automatic: bool = False
    ) -> Building:
        """Start a field: it follows writes from now on, and takes stored points by ``add``."""
        building = Building(key, config, self._lock, again, automatic)
        with self._lock:
            self._set_building([*self._building, building])
        return building

    def finish(self, building: Building) -> None:
        """Let a field answer, in place of one of the same path if there is one."""
        with self._lock:
            if building.automatic:
                if building.path not in self._fields:  # declared meanwhile
                    self.automatic.put(building.path, building.field)
            else:
                self._put(building.key, building.field)
            self._set_building([each for each in self._building if each is not building])

    def cancel(self, building: Building) -> None:
        """Give a field up that was begun."""
        with self._lock:
            self._set_building([each for each in self._building if each is not building])

    def drop(self, key: str) -> None:
        """Remove a field; nothing happens if there is none."""
        path = parse_path(key)
        with self._lock:
            self._keys = {each: at for each, at in self._keys.items() if at != path}
            self._fields = {at: field for at, field in self._fields.items() if at != path}
            self._choose_keys()

    def dump(self, key: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return copies of the contents of a field, and what else ``load`` checks, fit for JSON.

        Raises:
            InvalidInput: there is no such field.
        """
        with self._lock:
            field = self._fields.get(parse_path(key))
            if field is None:
                raise InvalidInput(f"No payload index of {key!r}: nothing to store")
            return dict(field.to_arrays()), {"format": ARRAYS_FORMAT}

    def load(
        self, key: str, config: FieldIndex, arrays: Arrays, description: Mapping[str, Any]
    ) -> None:
        """Add a field with the contents that ``dump`` returned.

        Raises:
            InvalidInput: the contents are of another format.
            ValueError, LookupError, TypeError: they are not those of such a field.
        """
        if description["format"] != ARRAYS_FORMAT:
            raise InvalidInput(
                f"The payload index of {key!r} has format {description['format']}, this release "
                f"reads {ARRAYS_FORMAT} alone: build it again from the payloads"
            )
        field = IndexedField(config)
        field.load(arrays)
        with self._lock:
            self._put(key, field)

    def _put(self, key: str, field: IndexedField) -> None:
        path = parse_path(key)
        # readers hold no lock while they look a field up: the dicts are replaced, never changed
        self._keys = {each: at for each, at in self._keys.items() if at != path} | {key: path}
        self._fields = {**self._fields, path: field}
        self.automatic.drop(path)
        self._choose_keys()

    def _set_building(self, building: list[Building]) -> None:
        self._building = building
        self._again = {each.path: each for each in building if each.again}
        self._choose_keys()

    def _each(self) -> list[tuple[str, IndexedField]]:
        keys, fields = self._keys, self._fields
        return [(key, fields[path]) for key, path in keys.items() if path in fields]

    def _choose_keys(self) -> None:
        paths = [*self._fields, *(path for path, _ in self.automatic.fields)]
        paths += [building.path for building in self._building]
        self._decode = key_decoder({str(path[0]) for path in paths})

    def _change(
        self, olds: list[tuple[int, bytes | None]], news: list[tuple[int, bytes | None]]
    ) -> None:
        gone = [number for number, payload in olds if payload is not None]
        old = [self._decode(payload) for _, payload in olds if payload is not None]
        added = [number for number, payload in news if payload is not None]
        new = [self._decode(payload) for _, payload in news if payload is not None]
        for building in self._building:
            building.known.update([number for number, _ in news])
        for path, field in (
            *self._fields.items(),
            *self.automatic.fields,
            *((building.path, building.field) for building in self._building),
        ):
            if gone:
                field.remove(gone, _stored(old, path))
            if added:
                field.add(added, _stored(new, path))
        if self.automatic.touched(len(news)):
            self._choose_keys()


def _stored(payloads: list[dict[str, Any]], path: Path) -> list[list[Any]]:
    if len(path) > 1:
        return [stored_at(payload, path) for payload in payloads]
    key = path[0]
    return [[payload[key]] if key in payload else [] for payload in payloads]


def _chunks(places: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), _CHUNK):
        if start:
            time.sleep(0)  # lets a reader that waits for the lock have it
        yield places[start : start + _CHUNK]
