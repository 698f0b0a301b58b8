"""Point ids in their three forms: Python values, arrays, SQLite keys.

Array form: (n,) uint64 when every id is an integer, else (n, 17) uint8: a kind byte (0 integer,
1 UUID) and 16 big-endian bytes. Key form: an integer is stored as ``value - 2**63`` (SQLite's are
signed), a UUID as its 16 bytes. SQLite orders numbers before blobs, so in all three forms integers
come first, by value, then UUIDs: the order of ``scroll``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import InvalidId
from palimpsest.index.types import PointId

Ids: TypeAlias = NDArray[np.uint64] | NDArray[np.uint8]
Key: TypeAlias = int | bytes

ID_BYTES = 17
UUID_BYTES = 16
_SIGN = 1 << 63
_LIMIT = 1 << 64


def check_ids(ids: Sequence[PointId]) -> None:
    """Raise InvalidId for the first id that is neither an unsigned 64-bit integer nor a UUID."""
    kinds = set(map(type, ids))
    if kinds <= {int, UUID} and (int not in kinds or _in_range(ids)):
        return
    for one in ids:
        if type(one) is not UUID and not (type(one) is int and 0 <= one < _LIMIT):
            raise InvalidId(one)


def _in_range(ids: Sequence[PointId]) -> bool:
    integers = [one for one in ids if type(one) is int]
    return min(integers) >= 0 and max(integers) < _LIMIT


def pack_ids(ids: Sequence[PointId]) -> Ids:
    """Return checked ids in array form."""
    if all(type(one) is int for one in ids):
        return np.array(ids, dtype=np.uint64)
    packed = b"".join(_bytes_of(one) for one in ids)
    return np.frombuffer(packed, dtype=np.uint8).reshape(-1, ID_BYTES)


def _bytes_of(one: PointId) -> bytes:
    if isinstance(one, UUID):
        return b"\x01" + one.bytes
    return one.to_bytes(ID_BYTES, "big")


def unpack_ids(packed: Ids) -> list[PointId]:
    """Return ids in array form as Python values."""
    if packed.ndim == 1:
        return packed.tolist()  # type: ignore[no-any-return]
    text = packed.tobytes()
    return [unpack_id(text[i : i + ID_BYTES]) for i in range(0, len(text), ID_BYTES)]


def unpack_id(text: bytes) -> PointId:
    """Return the id that 17 bytes of an array stand for."""
    return UUID(bytes=text[1:]) if text[0] else int.from_bytes(text, "big")


def widen_ids(packed: Ids) -> NDArray[np.uint8]:
    """Return ids in the 17-byte form, whichever form they are in."""
    if packed.ndim == 2:
        return packed  # type: ignore[return-value]
    wide = np.zeros((len(packed), ID_BYTES), dtype=np.uint8)
    wide[:, 9:] = packed.astype(">u8").view(np.uint8).reshape(-1, 8)
    return wide


def join_ids(parts: Sequence[Ids]) -> Ids:
    """Concatenate id arrays, in the 17-byte form when any of them is."""
    if all(part.ndim == 1 for part in parts):
        return np.concatenate([np.empty(0, dtype=np.uint64), *parts])
    return np.concatenate([widen_ids(part) for part in parts])


def ids_to_bytes(packed: Ids) -> bytes:
    """Return the array's bytes; ``ids_from_bytes`` tells the form by their number."""
    return packed.tobytes()


def ids_from_bytes(text: bytes, n: int) -> Ids:
    """Return the array of ``n`` ids that ``ids_to_bytes`` wrote."""
    if len(text) == 8 * n:
        return np.frombuffer(text, dtype=np.uint64)
    return np.frombuffer(text, dtype=np.uint8).reshape(n, ID_BYTES)


def keys_of(ids: Iterable[PointId]) -> list[Key]:
    """Return the SQLite keys of checked ids."""
    return [one - _SIGN if isinstance(one, int) else one.bytes for one in ids]


def key_of(one: PointId) -> Key:
    """Return the SQLite key of one checked id."""
    return one - _SIGN if isinstance(one, int) else one.bytes


def order_of(key: Key) -> tuple[bool, Any]:
    """Return what keys are compared by in Python: as SQLite does, integers before UUIDs."""
    return isinstance(key, bytes), key


def id_of_key(key: Key) -> PointId:
    """Return the id a SQLite key stands for."""
    return key + _SIGN if isinstance(key, int) else UUID(bytes=key)
