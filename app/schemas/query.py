"""Queries on the wire: ``query`` bodies to ``SearchRequest``, results to scored points.

The engine knows distances, smaller is closer; the wire knows scores: under cosine and dot the
inner product (larger is better), under Euclid and Manhattan the distance itself.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from app.errors import format_error, out_of_range, unsupported, wrong_input
from app.schemas.ids import format_id, is_uuid, parse_id
from app.schemas.points import ABSENT, format_vectors, read_vector, refuse_clauses
from app.schemas.selectors import (
    PayloadSelector,
    WithPayload,
    WithVector,
    select_vectors,
)
from index import (
    CollectionConfig,
    Distance,
    InvalidInput,
    PointId,
    SearchRequest,
    SearchResult,
    UnknownVectorName,
    Vector,
    format_vector,
)
from index import config as limits

DEFAULT_LIMIT = 10
MAX_OFFSET = 2**31 - 1
SIMILARITIES = frozenset((Distance.COSINE, Distance.DOT))
MAX_FLOAT32 = float(np.finfo(np.float32).max)
MAX_SCORE = b"3.4028235e38"


class QuantizationBody(msgspec.Struct, forbid_unknown_fields=True):
    """How codes take part in one search."""

    ignore: bool | None = None
    rescore: bool | None = None
    oversampling: float | None = None


class ParamsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs of one search."""

    hnsw_ef: int | None = None
    exact: bool | None = None
    quantization: QuantizationBody | None = None
    indexed_only: bool | None = None
    acorn: Any = None
    idf: Any = None


class QueryBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/query``."""

    query: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    using: str | None = None
    limit: int | None = None
    offset: int | None = None
    score_threshold: float | None = None
    params: ParamsBody | None = None
    with_payload: WithPayload = None
    with_vector: WithVector = None
    prefetch: Any = None
    filter: Any = None
    lookup_from: Any = None
    shard_key: Any = None


class QueryBatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/query/batch``."""

    searches: list[QueryBody]


class Query(msgspec.Struct, frozen=True):
    """A decoded query: what the engine is asked, and how its answer is written."""

    request: SearchRequest
    select: PayloadSelector
    similarity: bool


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NO_PARAMS = ParamsBody()
_NO_QUANTIZATION = QuantizationBody()
_NO_PAYLOAD = PayloadSelector(None, default=False)


def to_query(body: QueryBody, config: CollectionConfig) -> Query:
    """Return the search a body asks for.

    Raises:
        Refusal: a clause is unsupported or out of range.
        InvalidInput: the vector cannot be read, or its name is not declared.
    """
    if body.prefetch is not None or body.filter is not None or body.lookup_from is not None:
        refuse_clauses(body, "prefetch", "filter", "lookup_from")
    if body.shard_key is not None:
        raise unsupported("shard_key")
    name = body.using or ""
    declared = config.vectors.get(name)
    if declared is None:
        raise UnknownVectorName(name, list(config.vectors))
    similarity = declared.distance in SIMILARITIES
    params = body.params or _NO_PARAMS
    codes = params.quantization or _NO_QUANTIZATION
    _check_params(params, codes)
    asked = body.with_payload
    select = _NO_PAYLOAD if asked is None else PayloadSelector(asked, default=False)
    request = SearchRequest(
        query=_target(bytes(body.query)),
        vector_name=name,
        k=_between("limit", body.limit, 1, limits.MAX_K, DEFAULT_LIMIT),
        offset=_between("offset", body.offset, 0, MAX_OFFSET, 0),
        ef=params.hnsw_ef,
        exact=bool(params.exact),
        rescore=codes.rescore,
        oversampling=codes.oversampling,
        ignore_codes=bool(codes.ignore),
        max_distance=_max_distance(body.score_threshold, similarity),
        with_payload=select.wanted,
        with_vectors=select_vectors(body.with_vector),
    )
    return Query(request, select, similarity)


def encode_result(query: Query, result: SearchResult) -> bytes:
    """Return ``{"points": [...]}``, best first."""
    ids = result.ids
    if not len(ids):
        return b'{"points":[]}'
    scores = _format_scores(result, query.similarity)
    if result.payloads is None and result.vectors is None and {*map(type, ids)} == {int}:
        # One pass of f-strings is several times faster than joining bytes point by point.
        hits = ",".join(
            [
                f'{{"id":{i},"version":{seq},"score":{score}}}'
                for i, seq, score in zip(ids, result.seqs, scores.decode().split(","), strict=True)
            ]
        )
        return f'{{"points":[{hits}]}}'.encode()
    each = [encode_hit(query, result, row, score) for row, score in enumerate(scores.split(b","))]
    return b'{"points":[' + b",".join(each) + b"]}"


def encode_hit(query: Query, result: SearchResult, row: int, score: bytes) -> bytes:
    """Return the scored point at ``row`` of a result, payload and vectors as asked."""
    point_id = format_id(result.ids[row])
    parts = [b'{"id":%b,"version":%d,"score":%b' % (point_id, result.seqs[row], score)]
    if query.select.wanted:
        payload = None if result.payloads is None else result.payloads[row]
        parts += [b',"payload":', query.select(payload)]
    if query.request.with_vectors is not False:
        parts += [b',"vector":', format_vectors(result.vectors[row] if result.vectors else None)]
    parts.append(b"}")
    return b"".join(parts)


def _format_scores(result: SearchResult, similarity: bool) -> bytes:
    """Return the scores as shortest float32 texts, comma-separated; overflow as the largest."""
    distances = result.distances
    text = format_vector(0 - distances if similarity else distances)[1:-1]
    if b"n" in text:  # inf or nan, which JSON cannot hold
        text = text.replace(b"-nan", b"0").replace(b"nan", b"0").replace(b"inf", MAX_SCORE)
    return text


def _target(text: bytes) -> Vector | PointId:
    """Return what ``query`` names: a vector, or the id of a stored point.

    A string is an id when it is a UUID, and base64 otherwise; 32 hexadecimal digits are a UUID.
    """
    first = text[:1]
    if first == b"[":
        return read_vector(text)
    if first == b'"':
        string = msgspec.json.decode(text, type=str)
        return parse_id(string) if is_uuid(string) else _read_base64(text, string)
    if first == b"{":
        return _nearest(text)
    if text in ABSENT:
        raise wrong_input("`query` is missing; queries without a vector or id are not supported")
    return parse_id(msgspec.json.decode(text, type=int))


def _nearest(text: bytes) -> Vector | PointId:
    clauses = _OBJECT.decode(text)
    nearest = clauses.pop("nearest", None)
    for name, value in clauses.items():
        if nearest is None or name != "mmr" or bytes(value) != b"null":
            raise unsupported(f"query.{name}")
    if nearest is None:
        raise format_error("query: expected a vector, an id or an object with `nearest`")
    target = bytes(nearest)
    if target[:1] == b"{":
        kinds = ", ".join(_OBJECT.decode(target))
        raise unsupported(f"query.nearest with {kinds}")
    return _target(target)


def _read_base64(text: bytes, string: str) -> Vector:
    try:
        return read_vector(text)
    except InvalidInput as error:
        raise wrong_input(
            f"query: {string[:60]!r} is neither a UUID nor a base64 float32 vector ({error})"
        ) from None


def _check_params(params: ParamsBody, codes: QuantizationBody) -> None:
    if params.indexed_only:
        raise unsupported("params.indexed_only")
    if params.acorn is not None:
        raise unsupported("params.acorn")
    if params.idf is not None:
        raise unsupported("params.idf")
    if params.hnsw_ef is not None:
        _between("params.hnsw_ef", params.hnsw_ef, 1, limits.MAX_EF, 1)
    if codes.oversampling is not None and not codes.oversampling >= 1:
        raise out_of_range(
            "params.quantization.oversampling",
            f"value {codes.oversampling} invalid, must be 1.0 or larger",
        )


def _between(field: str, given: int | None, least: int, most: int, default: int) -> int:
    if given is None:
        return default
    if not least <= given <= most:
        bound = f"{least} or larger" if given < least else f"{most} or smaller"
        raise out_of_range(field, f"value {given} invalid, must be {bound}")
    return given


def _max_distance(threshold: float | None, similarity: bool) -> float | None:
    if threshold is None:
        return None
    # Through float32, so that a score sent back as the threshold still includes its point.
    if abs(threshold) > MAX_FLOAT32:
        limit = math.copysign(math.inf, threshold)
    else:
        limit = float(np.float32(threshold))
    return -limit if similarity else limit
