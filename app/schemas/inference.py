"""Inference objects on the wire: ``{"text": ..., "model": ...}`` where a vector may stand.

What reads vectors refuses such an object (``faults.TextGiven``). Then vectors are put in the place
of all of a body's texts, and it is read as any other: a body of vectors pays nothing for this.
Objects are looked for only where vectors may stand, so that payloads may hold what they want, and
keep their text as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from palimpsest.app.errors import wrong_input
from palimpsest.app.schemas.faults import is_inference

Put: TypeAlias = Callable[[bytes], bytes]  # from the text of an object to what takes its place


class Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A text, the model that is to embed it, and how."""

    text: str
    model: str
    options: dict[str, Any] | None = None


class Place(NamedTuple):
    """Where in a JSON value vectors may stand: as itself, below its fields, among its items."""

    is_vector: bool = False
    fields: Mapping[str, Place] = {}
    values: Place | None = None  # of every other field
    items: Place | None = None


def texts_in(body: bytes, where: Place) -> list[Document]:
    """Return the texts to embed of a body, in the order they stand in.

    Raises:
        Refusal: an image or another object is to be embedded.
        MsgspecError: it is no JSON, or an object is none of the above.
    """
    found: list[Document] = []

    def collect(text: bytes) -> bytes:
        found.append(_read(text))
        return text

    _replace(body.lstrip(), where, collect)
    return found


def with_vectors(body: bytes, where: Place, vectors: Iterable[bytes]) -> bytes:
    """Return a body with the texts of vectors in the place of what ``texts_in`` found."""
    left = iter(vectors)
    return _replace(body.lstrip(), where, lambda _: next(left))


def _read(text: bytes) -> Document:
    fields = _OBJECT.decode(text)
    for other in ("image", "object"):
        if bytes(fields.get(other, b"null")) != b"null":
            raise wrong_input(
                f"inference of `{other}`: only `text` is embedded by this server; embed it "
                "yourself, and send the vector"
            )
    given = {name: value for name, value in fields.items() if bytes(value) != b"null"}
    return _DOCUMENT.decode(msgspec.json.encode(given))


def _replace(text: bytes, where: Place, put: Put) -> bytes:
    """Return a value with others in the place of its objects; the very same where it has none."""
    first = text[:1]
    if first == b"[" and where.items is not None:
        items = _LIST.decode(text)
        placed = [_replace(bytes(each), where.items, put) for each in items]
        return _joined(placed)
    if first != b"{":
        return text
    fields = _OBJECT.decode(text)
    if where.is_vector and is_inference(fields) and not _are_named(fields, where):
        return put(text)
    is_changed = False
    for name, value in fields.items():
        inner = where.fields.get(name, where.values)
        if inner is not None:
            before = bytes(value)
            after = _replace(before, inner, put)
            if after is not before:
                is_changed = True
                fields[name] = msgspec.Raw(after)
    return msgspec.json.encode(fields) if is_changed else text


def _are_named(fields: Mapping[str, msgspec.Raw], where: Place) -> bool:
    """Tell whether fields are vectors that have the names of an object's: `model` is a list."""
    return where.values is not None and bytes(fields["model"])[:1] in (b"[", b"{")


def _joined(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_DOCUMENT = msgspec.json.Decoder(Document)

_VECTOR = Place(is_vector=True)
_SEVERAL = Place(items=_VECTOR)
_NAMED = Place(is_vector=True, values=_VECTOR)
_POINTS = Place(items=Place(fields={"vector": _NAMED, "vectors": _NAMED}))
_COLUMNS = Place(items=_VECTOR, values=_SEVERAL)
POINTS = Place(fields={"points": _POINTS, "batch": Place(fields={"vectors": _COLUMNS})})
OPERATIONS = Place(
    fields={"operations": Place(items=Place(fields={"upsert": POINTS, "update_vectors": POINTS}))}
)

_PAIR: Mapping[str, Place] = {"positive": _VECTOR, "negative": _VECTOR}
_PAIRS = Place(fields=_PAIR, items=Place(fields=_PAIR))
_FEEDBACK = Place(items=Place(fields={"example": _VECTOR}))
_QUERY = Place(
    is_vector=True,
    fields={
        "nearest": _VECTOR,
        "recommend": Place(fields={"positive": _SEVERAL, "negative": _SEVERAL}),
        "discover": Place(fields={"target": _VECTOR, "context": _PAIRS}),
        "context": _PAIRS,
        "relevance_feedback": Place(fields={"target": _VECTOR, "feedback": _FEEDBACK}),
        "versions": Place(values=_VECTOR),
    },
)
_LEVEL: dict[str, Place] = {"query": _QUERY}
QUERY = Place(fields=_LEVEL)
_LEVEL["prefetch"] = Place(fields=_LEVEL, items=QUERY)
QUERIES = Place(fields={"searches": Place(items=QUERY)})
