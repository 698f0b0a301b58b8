"""Long replies as JSON, encoded in pieces.

An encoder that makes its own buffer may end the process where there is no memory for it. So long
lists are encoded a few items at a time into buffers that Python makes, and joined by Python, which
raises MemoryError in such a case.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

PIECE = 16  # items of a list encoded at once
_BUFFER = 1 << 16  # bytes; larger pieces make it grow
_LISTS = ("points", "groups", "hits")  # fields of replies that may be long

_ENCODER = msgspec.json.Encoder()


def encode_around(shell: msgspec.Struct, result: Any) -> bytes:
    """Return a reply with a result, which stands first in it."""
    if not _is_long(result):
        return _ENCODER.encode(msgspec.structs.replace(shell, result=result))
    return b"".join(_around(msgspec.structs.replace(shell, result=[]), "result", result))


def _is_long(value: Any) -> bool:
    if isinstance(value, list):
        if len(value) > PIECE:
            return True
        return bool(value) and _list_of(value[0]) is not None and any(map(_is_long, value))
    name = _list_of(value)
    return name is not None and _is_long(getattr(value, name))


def _list_of(value: Any) -> str | None:
    """Return the name of a reply's field that holds a list, None where there is none."""
    fields = getattr(value, "__struct_fields__", ())  # to ask for one that is not there takes long
    for name in _LISTS:
        if name in fields and isinstance(getattr(value, name), list):
            return name
    return None


def _parts(value: Any) -> Iterator[bytes]:
    if not _is_long(value):
        yield _encode(value)
    elif isinstance(value, list):
        yield from _items(value)
    else:
        name = _list_of(value)
        assert name is not None
        yield from _around(msgspec.structs.replace(value, **{name: []}), name, getattr(value, name))


def _around(shell: msgspec.Struct, name: str, value: Any) -> Iterator[bytes]:
    """Yield a reply whose field is empty with a value in that field, the first that is empty."""
    head, empty, tail = _encode(shell).partition(b'"%s":[]' % name.encode())
    yield head
    yield empty[:-2]
    yield from _parts(value)
    yield tail


def _items(items: list[Any]) -> Iterator[bytes]:
    nested = _list_of(items[0]) is not None
    step = 1 if nested else PIECE
    for start in range(0, len(items), step):
        yield b"," if start else b"["
        if nested:
            yield from _parts(items[start])
        else:
            yield _encode(items[start : start + step])[1:-1]
    yield b"]"


def _encode(value: Any) -> bytes:
    buffer = bytearray(_BUFFER)
    _ENCODER.encode_into(value, buffer)
    return bytes(buffer)
