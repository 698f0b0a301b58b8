"""Points to write on the wire: bodies of upserts to columns.

Vectors stay undecoded bytes until ``index.parse_vectors`` reads a whole column; payloads are the
caller's own text from the request to the reply and are only checked to be JSON objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import numpy as np

from app.errors import Refusal, format_error, unsupported, wrong_input
from app.schemas.ids import parse_ids
from index import (
    CollectionConfig,
    DimensionMismatch,
    InvalidInput,
    InvalidVector,
    NamedVectors,
    PointBatch,
    PointId,
    UnknownVectorName,
    Vector,
    Vectors,
    parse_vector,
    parse_vectors,
)

ABSENT = (b"", b"null")  # texts of a Raw field that was not sent, or sent as null
WHITESPACE = b" \t\r\n"


class PointBody(msgspec.Struct, forbid_unknown_fields=True):
    """One point of the ``points`` form."""

    id: int | str
    vector: msgspec.Raw
    payload: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """The column-wise ``batch`` form."""

    ids: list[int | str]
    vectors: msgspec.Raw
    payloads: list[msgspec.Raw] | None = None


class UpsertBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``PUT points``: exactly one of ``points`` and ``batch``."""

    points: list[PointBody] | None = None
    batch: BatchBody | None = None
    shard_key: Any = None
    update_filter: Any = None
    update_mode: str | None = None


_UPSERT = msgspec.json.Decoder(UpsertBody)
_COLUMN = msgspec.json.Decoder(list[msgspec.Raw])
_NAMED = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NAMED_COLUMNS = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])


def refuse_clauses(body: Any, *names: str) -> None:
    """Refuse every named clause that was sent with a value other than null."""
    for name in names:
        if getattr(body, name) is not None:
            raise unsupported(name)


def decode_upsert(body: bytes, config: CollectionConfig) -> PointBatch:
    """Return the points of an upsert, column by column.

    Raises:
        Refusal: the body does not have the shape of an upsert.
        InvalidInput: a vector or an id cannot be read; the text names the point.
    """
    if not body.isascii():
        _require_utf8(body)  # payloads are passed on undecoded
    upsert = _UPSERT.decode(body)
    refuse_clauses(upsert, "shard_key", "update_filter")
    if upsert.update_mode not in (None, "upsert"):
        raise unsupported(f"update_mode: {upsert.update_mode}")
    if (upsert.points is None) == (upsert.batch is None):
        raise format_error("expected either `points` or `batch`")
    if upsert.points is not None:
        return _from_points(upsert.points, config)
    assert upsert.batch is not None
    return _from_columns(upsert.batch, config)


def _from_points(points: Sequence[PointBody], config: CollectionConfig) -> PointBatch:
    ids = _require_ids([p.id for p in points])
    texts = [bytes(p.vector) for p in points]
    columns: dict[str, tuple[list[int], list[bytes]]] = {}
    for position, text in enumerate(texts):
        if text[:1] == b"{":
            for name, vector in _named_vectors(text, ids[position]):
                at, column = columns.setdefault(name, ([], []))
                at.append(position)
                column.append(vector)
        else:
            at, column = columns.setdefault("", ([], []))
            at.append(position)
            column.append(text)
    payloads = [_payload(bytes(p.payload), p.id) for p in points]
    return PointBatch(ids, _parse_columns(columns, ids, config), payloads)


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
        payloads = [_payload(bytes(p), each) for p, each in zip(batch.payloads, ids, strict=True)]
    everywhere = list(range(len(ids)))
    placed = {
        name: (everywhere, [bytes(vector) for vector in column]) for name, column in columns.items()
    }
    return PointBatch(ids, _parse_columns(placed, ids, config), payloads)


def _named_vectors(text: bytes, point_id: PointId) -> Iterable[tuple[str, bytes]]:
    named = _NAMED.decode(text)
    if {"indices", "values"} == named.keys():
        raise unsupported(f"sparse vector (point {point_id})")
    return [(name, bytes(raw)) for name, raw in named.items()]


def _parse_columns(
    columns: Mapping[str, tuple[list[int], list[bytes]]],
    ids: Sequence[PointId],
    config: CollectionConfig,
) -> dict[str, NamedVectors]:
    parsed = {}
    for name, (positions, texts) in columns.items():
        declared = config.vectors.get(name)
        if declared is None:
            error = UnknownVectorName(name, list(config.vectors))
            raise Refusal(HTTPStatus.BAD_REQUEST, f"{error} (point {ids[positions[0]]})")
        values = _parse_column(texts, [ids[p] for p in positions], declared.size)
        parsed[name] = NamedVectors(np.array(positions, dtype=np.int64), values)
    return parsed


def _parse_column(texts: list[bytes], ids: Sequence[PointId], size: int) -> Vectors:
    """Parse one column at once; when that fails, one by one to name the point at fault."""
    try:
        values = parse_vectors(texts)
        if values.shape[1] == size:
            return values
    except InvalidInput:
        pass
    for text, point_id in zip(texts, ids, strict=True):
        try:
            vector = read_vector(text)
        except InvalidInput as error:
            raise InvalidVector(f"{error} (point {point_id})") from None
        except Refusal as error:
            raise Refusal(error.status, f"{error.text} (point {point_id})") from None
        if len(vector) != size:
            raise DimensionMismatch(size, len(vector), f"point {point_id}")
    return parse_vectors(texts)


def read_vector(text: bytes) -> Vector:
    """Return the one dense vector a JSON text holds; other kinds of vectors are refused."""
    if text[:1] == b"{":
        raise unsupported("sparse vector or inference object")
    if text[:1] == b"[" and text[1:].lstrip(WHITESPACE)[:1] in (b"[", b"{"):
        raise unsupported("multivector")
    if text[:1] not in (b"[", b'"'):
        raise format_error(f"expected a vector, got {text[:40].decode(errors='replace')}")
    return parse_vector(text)


def _payload(text: bytes, point_id: object) -> bytes | None:
    if text[:1] == b"{":
        return text
    if text in ABSENT:
        return None
    raise format_error(f"payload: expected an object (point {point_id})")


def _require_ids(raw: Sequence[int | str]) -> list[PointId]:
    if not raw:
        raise wrong_input("Empty update request: no points given")
    return parse_ids(raw)


def _require_length(what: str, received: int, expected: int) -> None:
    if received != expected:
        raise wrong_input(f"{what}: expected {expected}, one per id, got {received}")


def _require_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise format_error(f"not UTF-8 at byte {error.start}") from None
