"""Changes of one payload: JSON text in, JSON text out.

Only the levels that a change passes through are taken apart; every other value keeps its text, so
that numbers keep their digits. A payload that has nothing in it is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from palimpsest.index.filters.decoding import decode_payload
from palimpsest.index.filters.expression import EACH, Path, Step

Fields: TypeAlias = dict[str, msgspec.Raw]
Items: TypeAlias = list[msgspec.Raw]

_FIELDS = msgspec.json.Decoder(Fields)
_ITEMS = msgspec.json.Decoder(Items)
_ENCODE = msgspec.json.Encoder().encode
_WHITE = b" \t\r\n"
_NULL = b"null"


def merge(old: bytes | None, new: bytes) -> bytes | None:
    """Return a payload with the keys of ``new`` set; a null in ``new`` removes its key.

    Args:
        old: a JSON object, or None.
        new: a JSON object.
    """
    # Only the levels that change are decoded. All below them stays the text that was sent, so that
    # numbers of any length and any spelling come back as they came.
    fields = _merged(_fields(old or b"{}"), new)
    # A payload without keys is none: so points look the same whether it was emptied or never given.
    return _ENCODE(fields) if fields else None


def merge_at(old: bytes | None, path: Path, new: bytes) -> bytes | None:
    """Return a payload with ``new`` merged into the object, or objects, at a path.

    Missing keys on the way are created, and what is no object becomes one. Where the path asks for
    elements there must be an array: anything else becomes an empty one, and an index beyond its end
    changes nothing.
    """
    return _merge_below(old or b"{}", path, new)


def delete_keys(old: bytes | None, paths: Iterable[Path]) -> bytes | None:
    """Return a payload without what the paths lead to; paths that lead nowhere change nothing.

    ``[]`` at the end of a path empties the array. An index at the end changes nothing, because to
    delete by index twice would delete two elements.
    """
    text = _delete_below(old or b"{}", list(paths))
    return text if _fields(text) else None


def _merge_below(text: bytes, path: Path, new: bytes) -> bytes:
    """Return the JSON value ``text`` with ``new`` merged into what the path leads to from it."""
    if not path:
        return _ENCODE(_merged(_fields(text), new))
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        fields = _fields(text)
        fields[step] = msgspec.Raw(_merge_below(bytes(fields.get(step, b"{}")), rest, new))
        return _ENCODE(fields)
    items = _items(text)
    if items is None:
        return b"[]"
    for place in range(len(items)) if step is EACH else (int(step),):
        if place < len(items):
            items[place] = msgspec.Raw(_merge_below(bytes(items[place]), rest, new))
    return _ENCODE(items)


def _delete_below(text: bytes, paths: Iterable[Path]) -> bytes:
    """Return the JSON value ``text`` without what the paths lead to from it; read once for all."""
    rests: dict[Step, list[Path]] = {}
    for path in paths:
        rests.setdefault(path[0], []).append(path[1:])
    items = _items(text)
    return _delete_fields(text, rests) if items is None else _delete_items(text, items, rests)


def _delete_fields(text: bytes, rests: Mapping[Step, list[Path]]) -> bytes:
    fields = _fields(text)
    steps = [step for step in rests if step in fields]
    for step in steps:
        if () in rests[step]:
            del fields[str(step)]
        else:
            fields[str(step)] = _deleted(fields[str(step)], rests[step])
    return _ENCODE(fields) if steps else text


def _delete_items(text: bytes, items: Items, rests: Mapping[Step, list[Path]]) -> bytes:
    # Whatever else is asked of the elements: they are gone.
    if () in rests.get(EACH, ()):
        return b"[]"
    changed = False
    for step, below in rests.items():
        if isinstance(step, str) or not (deeper := [rest for rest in below if rest]):
            continue
        changed = True
        for place in range(len(items)) if step is EACH else (int(step),):
            if place < len(items):
                items[place] = _deleted(items[place], deeper)
    return _ENCODE(items) if changed else text


def _deleted(value: msgspec.Raw, paths: Iterable[Path]) -> msgspec.Raw:
    return msgspec.Raw(_delete_below(bytes(value), paths))


def _merged(fields: Fields, new: bytes) -> Fields:
    for key, value in _FIELDS.decode(new).items():
        if bytes(value) == _NULL:
            fields.pop(key, None)
        else:
            fields[key] = value
    return fields


def _fields(text: bytes) -> Fields:
    """Return the fields of a JSON object; anything else has none."""
    return _FIELDS.decode(text) if text.lstrip(_WHITE)[:1] == b"{" else {}


def _items(text: bytes) -> Items | None:
    return _ITEMS.decode(text) if text.lstrip(_WHITE)[:1] == b"[" else None


def is_same(old: bytes | None, new: bytes | None) -> bool:
    """Tell whether two payloads hold the same values; false where there is none."""
    if old is None or new is None:
        return False
    # First as bytes: a client that writes points again sends the same text, and nothing is decoded.
    return old == new or _alike(decode_payload(old), decode_payload(new))


def _alike(one: Any, other: Any) -> bool:
    """Tell whether decoded values are the same to JSON, to which true is no number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return (one is True or one is False) == (other is True or other is False) and one == other
