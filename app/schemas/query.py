"""Queries on the wire: ``query`` bodies to ``SearchRequest``, results to scored points.

The engine knows distances, smaller is closer; the wire knows scores: under cosine and dot the
inner product (larger is better), under Euclid and Manhattan the distance itself.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec
import numpy as np

from app.errors import format_error, out_of_range, unsupported, wrong_input
from app.schemas.ids import is_uuid, parse_id
from app.schemas.points import ABSENT, read_vector, refuse_clauses
from app.schemas.records import format_vectors
from app.schemas.selectors import (
    PayloadSelector,
    WithPayload,
    WithVector,
    select_vectors,
)
from index import (
    MAX_EF,
    MAX_K,
    CollectionConfig,
    Distance,
    InvalidInput,
    InvalidVector,
    PointId,
    SearchRequest,
    SearchResult,
    UnknownVectorName,
    Vector,
    format_vector,
    parse_vector,
)

DEFAULT_LIMIT = 10
MAX_OFFSET = 2**31 - 1
MAX_FLOAT32 = float(np.finfo(np.float32).max)


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


class ScoredPoint(msgspec.Struct, omit_defaults=True):
    """A hit as it is sent."""

    id: PointId
    version: int
    score: float
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    vector: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ScoredPoints(msgspec.Struct):
    """The answer to one query as it is sent."""

    points: list[ScoredPoint]


class Query(NamedTuple):
    """A decoded query: what the engine is asked, and how its answer is written."""

    request: SearchRequest
    select: PayloadSelector
    similarity: bool


# Stands for the vector that was cut out of a body; no body that holds it is cut.
MARK = b"0.5772156649015328606065120900824024e-307"

_QUERY = msgspec.json.Decoder(QueryBody)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FLOATS = msgspec.json.Decoder(list[float])
_NO_PARAMS = ParamsBody()
_NO_QUANTIZATION = QuantizationBody()
_NO_PAYLOAD = PayloadSelector(None, default=False)


def decode_query(text: bytes, config: CollectionConfig) -> Query:
    """Return the search that the text of a body asks for; raises as ``to_query`` does.

    Most of a body is one array of numbers. It is cut out and read on its own, so that it is not
    walked over twice; every body that this does not fit is read the plain way.
    """
    start = text.find(b"[")
    stop = text.find(b"]", start) + 1
    if 0 <= start < stop and MARK not in text:
        try:
            rest = _QUERY.decode(text[:start] + MARK + text[stop:])
            if _names_mark(bytes(rest.query)):
                return to_query(rest, config, parse_vector(text[start:stop]))
        except (InvalidVector, msgspec.MsgspecError):
            pass  # the plain way words the error
    return to_query(_QUERY.decode(text), config)


def to_query(body: QueryBody, config: CollectionConfig, vector: Vector | None = None) -> Query:
    """Return the search a body asks for; ``vector`` in place of its ``query`` when given.

    Raises:
        Refusal: a clause is unsupported or out of range.
        InvalidInput: the vector cannot be read, or its name is not declared.
    """
    if not (body.prefetch is body.filter is body.lookup_from is body.shard_key is None):
        refuse_clauses(body, "prefetch", "filter", "lookup_from", "shard_key")
    name = body.using or ""
    declared = config.vectors.get(name)
    if declared is None:
        raise UnknownVectorName(name, list(config.vectors))
    distance = declared.distance
    similarity = distance is Distance.COSINE or distance is Distance.DOT
    params = body.params or _NO_PARAMS
    codes = params.quantization or _NO_QUANTIZATION
    if params is not _NO_PARAMS:
        _check_params(params, codes)
    asked = body.with_payload
    select = _NO_PAYLOAD if asked is None else PayloadSelector(asked, default=False)
    request = SearchRequest(
        query=_target(bytes(body.query)) if vector is None else vector,
        vector_name=name,
        k=_between("limit", body.limit, 1, MAX_K, DEFAULT_LIMIT),
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


def to_points(query: Query, result: SearchResult) -> ScoredPoints:
    """Return a result as it is sent, best first."""
    if not len(result.ids):
        return ScoredPoints([])
    hits = [*map(ScoredPoint, result.ids, result.seqs, _scores(result, query.similarity))]
    if query.select.wanted:
        for hit, payload in zip(hits, result.payloads or (), strict=True):
            hit.payload = query.select(payload)
    if query.request.with_vectors is not False:
        for hit, vectors in zip(hits, result.vectors or (), strict=True):
            hit.vector = format_vectors(vectors)
    return ScoredPoints(hits)


def _scores(result: SearchResult, similarity: bool) -> list[float]:
    """Return scores that print with the fewest digits that tell a float32."""
    distances = result.distances
    scores = 0 - distances if similarity else distances
    try:
        return _FLOATS.decode(format_vector(scores))
    except msgspec.DecodeError:  # overflow, which JSON cannot hold
        return _FLOATS.decode(format_vector(np.nan_to_num(scores)))


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


def _names_mark(text: bytes) -> bool:
    """Tell whether the whole of ``query``, or its only clause ``nearest``, was cut out."""
    if text == MARK:
        return True
    if text[:1] != b"{" or MARK not in text:
        return False
    clauses = _OBJECT.decode(text)
    return len(clauses) == 1 and "nearest" in clauses and bytes(clauses["nearest"]) == MARK


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
        _between("params.hnsw_ef", params.hnsw_ef, 1, MAX_EF, 1)
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
