"""Sets of point numbers by value, as compact as their sizes allow.

A set of few numbers is their four bytes each in one ``bytes`` object, so that a million unique
values do not cost a bitmap each; a set of more is a roaring bitmap.

Not locked: the caller lets one thread in at a time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.filters.bitmaps import from_numbers, to_flags
from palimpsest.index.payload.sound import require, require_array
from palimpsest.index.stops import checked

Value: TypeAlias = str | int | bytes  # bool among the ints; one type per Postings
Arrays: TypeAlias = Mapping[str, NDArray[Any]]

# Most values of a field are held by few points, and an empty bitmap alone takes more than 32
# numbers.
MAX_PACKED = 32  # numbers; beyond, a bitmap is smaller and quicker
# Well below the bound in the other direction, or a value at it would be made over at every write.
_FEW = MAX_PACKED // 2  # numbers at which a bitmap is packed again
_SLACK = 1_024  # strings that are gone and not worth sorting anew
_OBJECT_BYTES = 50  # of a string besides its characters
_ENTRY_BYTES = 140  # of a dict's entry and the object of a packed set


class Postings:
    """Which numbers hold each value."""

    def __init__(self) -> None:
        self._sets: dict[Value, bytes | BitMap] = {}
        self._value_bytes = 0
        self._members = 0
        self._ordered: list[str] | None = None  # strings, and some that are gone
        self._recent: list[str] = []  # strings since

    def __len__(self) -> int:
        return len(self._sets)

    @property
    def nbytes(self) -> int:
        """Resident bytes, estimated."""
        return self._value_bytes + _ENTRY_BYTES * len(self._sets) + 4 * self._members

    def add(self, value: Value, numbers: list[int]) -> None:
        """Add different numbers to a value's set; those in there already change nothing."""
        held = self._sets.get(value)
        if held is None:
            self._sets[value] = _packed_if_few(numbers)
            self._value_bytes += _size(value)
            self._members += len(numbers)
            if self._ordered is not None:
                self._remember(str(value))
        elif isinstance(held, BitMap):
            before = len(held)
            if len(numbers) < _FEW:
                for number in numbers:
                    held.add(number)
            else:
                held.update(numbers)
            self._members += len(held) - before
        else:
            self._extend(value, held, numbers)

    def remove(self, value: Value, number: int) -> None:
        """Take a number out of a value's set; nothing happens if it is not in there."""
        held = self._sets.get(value)
        if held is None:
            return
        if isinstance(held, BitMap):
            self._members -= number in held
            held.discard(number)
            if len(held) <= _FEW:
                self._put(value, held)
            return
        numbers = _unpacked(held)
        if number in numbers:
            numbers.remove(number)
            self._members -= 1
            self._put(value, numbers)

    def discard(self, numbers: BitMap) -> None:
        """Take numbers out of all sets, in one pass."""
        if not numbers:
            return
        for value in self._packed_with(numbers):
            kept = [each for each in _unpacked(self._sets[value]) if each not in numbers]
            self._members -= len(self._sets[value]) // 4 - len(kept)
            self._put(value, kept)
        large = [(value, held) for value, held in self._sets.items() if isinstance(held, BitMap)]
        for value, held in large:
            self._members -= held.intersection_cardinality(numbers)
            held -= numbers
            if len(held) <= _FEW:
                self._put(value, held)

    def count(self, value: Value) -> int:
        """Return how many numbers hold the value."""
        held = self._sets.get(value, b"")
        return len(held) // 4 if isinstance(held, bytes) else len(held)

    def union(self, values: Iterable[Value]) -> BitMap:
        """Return a new set of the numbers that hold any of the values."""
        found = [held for value in values if (held := self._sets.get(value)) is not None]
        bitmaps = [held for held in found if isinstance(held, BitMap)]
        packed = b"".join(held for held in found if isinstance(held, bytes))
        union = BitMap.union(*bitmaps) if bitmaps else BitMap()
        if packed:
            union |= from_numbers(np.frombuffer(packed, dtype="<u4"))
        return union

    def intersection(self, values: Iterable[Value]) -> BitMap:
        """Return a new set of the numbers that hold all of the values; at least one is given."""
        # From the rarest: what is left is never more than that.
        first, *rest = sorted(set(values), key=self.count)
        found = self.union((first,))
        for value in rest:
            if not found:
                break
            held = self._sets[value]
            found &= held if isinstance(held, BitMap) else BitMap(_unpacked(held))
        return found

    def values(self) -> Iterator[Value]:
        """Iterate over the values that are held."""
        return iter(self._sets)

    def starting_with(self, prefix: str) -> list[str]:
        """Return the strings with a beginning, in order, and maybe some that no number holds."""
        ordered, recent = self._ordered, self._recent
        if ordered is None or len(ordered) + len(recent) > 2 * len(self._sets) + _SLACK:
            ordered = self._ordered = sorted(map(str, self._sets))
            recent.clear()
        elif recent:
            ordered.extend(recent)
            ordered.sort()  # little more than a pass where most is sorted
            recent.clear()
        start = bisect_left(ordered, prefix)
        end = bisect_right(ordered, prefix, lo=start, key=lambda each: each[: len(prefix)])
        return ordered[start:end]

    def counts(self, allowed: BitMap) -> list[tuple[Value, int]]:
        """Return how many of the allowed numbers hold each value, where there are any."""
        counts: list[tuple[Value, int]] = []
        for value, held in checked(self._sets.items()):
            if isinstance(held, bytes):
                count = sum(number in allowed for number in _unpacked(held))
            else:
                count = held.intersection_cardinality(allowed)
            if count:
                counts.append((value, count))
        return counts

    def to_arrays(self) -> Arrays:
        """Return what ``from_arrays`` reads: values, sizes (negative: of a bitmap) and sets."""
        packed = [
            held if isinstance(held, bytes) else held.serialize() for held in self._sets.values()
        ]
        signs = [1 if isinstance(held, bytes) else -1 for held in self._sets.values()]
        sizes = [sign * len(each) for sign, each in zip(signs, packed, strict=True)]
        return {
            "values": _bytes_array(msgspec.msgpack.encode(list(self._sets))),
            "sizes": np.array(sizes, dtype=np.int64),
            "sets": _bytes_array(b"".join(packed)),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, kind: type[Value]) -> Postings:
        """Return the postings of values of a type that ``to_arrays`` wrote.

        Raises:
            ValueError, or what msgspec raises: it did not write them.
        """
        require_array(arrays["sizes"], np.int64, -1)
        require_array(arrays["sets"], np.uint8, -1)
        postings = cls()
        values = msgspec.msgpack.decode(arrays["values"].tobytes(), type=list[kind], strict=True)  # type: ignore[valid-type]
        sets, end = arrays["sets"].tobytes(), 0
        for value, size in zip(values, arrays["sizes"].tolist(), strict=True):
            start, end = end, end + abs(size)
            part = sets[start:end]
            held = part if size > 0 else BitMap.deserialize(part)
            postings._sets[value] = held
            postings._members += size // 4 if size > 0 else len(held)
            require(len(part) == abs(size) and (size < 0 or size % 4 == 0), "sizes of sets")
        require(end == len(sets) and len(postings) == len(values), "sets, or values, are left over")
        postings._value_bytes = sum(map(_size, values))
        return postings

    def require_points(self, points: BitMap, several: BitMap) -> None:
        """Require that points are in sets, and only those of ``several`` in more than one.

        Raises ValueError.
        """
        require(self.union(self._sets) == points, "values and points that have some disagree")
        bitmaps = [held for held in self._sets.values() if isinstance(held, BitMap)]
        packed = b"".join(held for held in self._sets.values() if isinstance(held, bytes))
        members = np.frombuffer(packed, dtype="<u4")
        top = points.max() + 1 if points else 0
        times = sum(len(held) - held.intersection_cardinality(several) for held in bitmaps)
        times += int((~to_flags(several, top)[members]).sum())
        require(times == len(points - several), "a point has more values than it is said to have")

    def _remember(self, value: str) -> None:
        """Note a new string for the order, unless the order is about to be made anew anyway."""
        self._recent.append(value)
        if len(self._recent) > 2 * len(self._sets) + _SLACK:
            self._ordered = None
            self._recent.clear()

    def _extend(self, value: Value, held: bytes, numbers: list[int]) -> None:
        added = array("I", numbers).tobytes()
        # The bytes are looked for at any place, also across two numbers. Such a find only leads the
        # longer way, which looks properly.
        if len(numbers) == 1 and len(held) < 4 * MAX_PACKED and added not in held:
            self._sets[value] = held + added  # the rule while many points are added
            self._members += 1
            return
        members = _unpacked(held)
        new = [number for number in numbers if number not in members]
        members.extend(new)
        self._sets[value] = _packed_if_few(members)
        self._members += len(new)

    def _packed_with(self, numbers: BitMap) -> list[Value]:
        """Return the values whose packed sets hold any of the numbers."""
        packed = [(value, held) for value, held in self._sets.items() if isinstance(held, bytes)]
        members = np.frombuffer(b"".join(held for _, held in packed), dtype="<u4")
        owners = np.repeat(np.arange(len(packed)), [len(held) // 4 for _, held in packed])
        hit = to_flags(numbers, int(members.max(initial=0)) + 1)[members]
        return [packed[place][0] for place in np.unique(owners[hit]).tolist()]

    def _put(self, value: Value, numbers: Iterable[int]) -> None:
        packed = array("I", numbers).tobytes()
        if packed:
            self._sets[value] = packed
        else:
            del self._sets[value]
            self._value_bytes -= _size(value)


def _size(value: Value) -> int:
    """Return the bytes of a value's object, about; not `getsizeof`, which grows by caches."""
    return _OBJECT_BYTES + (0 if isinstance(value, int) else len(value))


def _packed_if_few(numbers: Sequence[int]) -> bytes | BitMap:
    return array("I", numbers).tobytes() if len(numbers) <= MAX_PACKED else BitMap(numbers)


def _unpacked(packed: bytes | BitMap) -> array[int]:
    return array("I", packed)


def grouped(numbers: Iterable[int], values: Iterable[Iterable[Value]]) -> dict[Value, list[int]]:
    """Return the numbers by value, each once per value."""
    groups: dict[Value, list[int]] = {}
    for number, each in zip(numbers, values, strict=True):
        for value in each:
            group = groups.setdefault(value, [])
            if not group or group[-1] != number:
                group.append(number)
    return groups


def _bytes_array(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, dtype=np.uint8)
