"""Points to write on the wire: bodies of upserts and vector updates to columns.

Vectors stay undecoded bytes until a whole column is read (``app.schemas.vectors``); payloads are
the caller's own text from the request to the reply; they are only checked to be objects that can be
read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from palimpsest.app.errors import format_error, out_of_range, unsupported, wrong_input
from palimpsest.app.schemas.documents import AnyFilter, AnyPayload, AnyVector, AnyVectors
from palimpsest.app.schemas.ids import parse_ids
from palimpsest.app.schemas.nesting import MAX_NESTING, TOO_DEEP, is_deeper
from palimpsest.app.schemas.vectors import parse_columns
from palimpsest.app.spelling import ABSENT, SPARSE
from palimpsest.index import CollectionConfig, PointBatch, PointId

_SHORT = 512  # bytes of what may hold no vector at all: empty ones, by name

UpdateMode: TypeAlias = Literal["upsert", "insert_only", "update_only"]


class PointBody(msgspec.Struct, forbid_unknown_fields=True):
    """One point of the ``points`` form."""

    id: int | str
    vector: AnyVector
    payload: AnyPayload = msgspec.field(default_factory=msgspec.Raw)


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """The column-wise ``batch`` form."""

    ids: list[int | str]
    vectors: AnyVectors
    payloads: list[AnyPayload] | None = None


class UpsertBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``PUT points``: exactly one of ``points`` and ``batch``."""

    points: list[PointBody] | None = None
    batch: BatchBody | None = None
    shard_key: Any = None
    update_filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    update_mode: UpdateMode | None = None


class PointVectorsBody(msgspec.Struct, forbid_unknown_fields=True):
    """New vectors of one point."""

    id: int | str
    vector: AnyVector


def refuse_clauses(body: Any, *names: str) -> None:
    """Refuse every named clause that was sent with a value other than null."""
    for name in names:
        if getattr(body, name) is not None:
            raise unsupported(name)


def to_batch(upsert: UpsertBody, config: CollectionConfig) -> PointBatch:
    """Return the points of an upsert, column by column.

    Raises:
        Refusal: the body does not have the shape of an upsert.
        InvalidInput: a vector or an id cannot be read; the text names the point.
    """
    refuse_clauses(upsert, "shard_key")
    if (upsert.points is None) == (upsert.batch is None):
        raise format_error("expected either `points` or `batch`")
    if upsert.points is not None:
        return _from_points(upsert.points, config)
    assert upsert.batch is not None
    return _from_columns(upsert.batch, config)


def to_vectors(points: Sequence[PointVectorsBody], config: CollectionConfig) -> PointBatch:
    """Return new vectors of points, column by column. Raises as ``to_batch`` does."""
    ids = _require_ids([p.id for p in points])
    texts = [bytes(p.vector) for p in points]
    for place, text in enumerate(texts):
        # Longer ones hold numbers; decoding each of them here would read all vectors twice.
        if len(text) < _SHORT and _is_empty(text):
            raise out_of_range(
                f"points[{place}].vector", "must specify vectors to update for point"
            )
    columns = _columns(texts)
    return PointBatch(ids, parse_columns(columns, ids, config), [None] * len(ids))


def _is_empty(text: bytes) -> bool:
    """Tell whether a text holds no vector, or only empty ones."""
    held = msgspec.json.decode(text)
    return not held or isinstance(held, dict) and not any(held.values())


def require_utf8(body: bytes) -> None:
    """Refuse a body that is not UTF-8; payloads are passed on undecoded."""
    # Nearly always so, and looked at many bytes at once.
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise format_error(f"not UTF-8 at byte {error.start}") from None


def read_payload(text: bytes, whose: object = None, above: int = 0) -> bytes | None:
    """Return the text of a payload, None when there is none.

    Args:
        text: as it was sent; empty when it was not.
        whose: the id of its point, for errors; None when it is that of several points.
        above: how many levels of the stored payload will stand above it.

    Raises:
        Refusal: it is no object, or holds what could be stored but not read again.
    """
    if text in ABSENT:
        return None
    if text[:1] != b"{":
        raise format_error(f"payload: expected an object{_point(whose)}")
    try:
        # Decoded and thrown away: the text is kept as it came, but only what can be read back may
        # be kept.
        fields = _PAYLOAD.decode(text)
    except msgspec.MsgspecError as error:
        raise format_error(f"payload: {error}{_point(whose)}") from None
    limit = MAX_NESTING - above
    # Few payloads hold so many brackets: counting them is quicker than walking through the values.
    if text.count(b"{") + text.count(b"[") > limit and is_deeper(fields, limit):
        raise format_error(f"payload: {TOO_DEEP}{_point(whose)}")
    return text


def _from_points(points: Sequence[PointBody], config: CollectionConfig) -> PointBatch:
    ids = _require_ids([p.id for p in points])
    columns = _columns([bytes(p.vector) for p in points])
    payloads = [read_payload(bytes(p.payload), p.id) for p in points]
    return PointBatch(ids, parse_columns(columns, ids, config), payloads)


def _columns(texts: Iterable[bytes]) -> dict[str, tuple[list[int], list[bytes]]]:
    """Return places and texts by vector name."""
    columns: dict[str, tuple[list[int], list[bytes]]] = {}
    for place, text in enumerate(texts):
        if text[:1] == b"{":
            for name, vector in _named(text).items():
                at, column = columns.setdefault(name, ([], []))
                at.append(place)
                column.append(bytes(vector))
        else:
            at, column = columns.setdefault("", ([], []))
            at.append(place)
            column.append(text)
    return columns


def _from_columns(batch: BatchBody, config: CollectionConfig) -> PointBatch:
    ids = _require_ids(batch.ids)
    text = bytes(batch.vectors)
    columns: dict[str, list[msgspec.Raw]]
    if text[:1] == b"{":
        columns = _NAMED_COLUMNS.decode(text)
    else:
        columns = {"": _COLUMN.decode(text)}
    for name, column in columns.items():
        what = f"vectors of {name!r}" if name else "vectors"
        _require_length(what, len(column), len(ids))
    payloads: Sequence[bytes | None] = [None] * len(ids)
    if batch.payloads is not None:
        _require_length("payloads", len(batch.payloads), len(ids))
        payloads = [
            read_payload(bytes(p), each) for p, each in zip(batch.payloads, ids, strict=True)
        ]
    everywhere = list(range(len(ids)))
    placed = {
        name: (everywhere, [bytes(vector) for vector in column]) for name, column in columns.items()
    }
    return PointBatch(ids, parse_columns(placed, ids, config), payloads)


def _named(text: bytes) -> dict[str, msgspec.Raw]:
    """Return vectors by name; an unnamed sparse vector, which cannot be, is one named ""."""
    named = _NAMED.decode(text)
    # A sparse vector looks like two vectors named `indices` and `values`: with exactly these fields
    # it is taken for the former.
    if named.keys() == SPARSE:
        return {"": msgspec.Raw(text)}
    return named


def _point(whose: object) -> str:
    return "" if whose is None else f" (point {whose})"


def _require_ids(raw: Sequence[int | str]) -> list[PointId]:
    if not raw:
        raise wrong_input("Empty update request: no points given")
    return parse_ids(raw)


def _require_length(what: str, received: int, expected: int) -> None:
    if received != expected:
        raise wrong_input(f"{what}: expected {expected}, one per id, got {received}")


_PAYLOAD = msgspec.json.Decoder(dict[str, Any])
_COLUMN = msgspec.json.Decoder(list[msgspec.Raw])
_NAMED = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NAMED_COLUMNS = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
