"""Bodies of queries, and the parts that all their levels share: parameters, limits, thresholds.

What most queries lack, and vectors, stay undecoded until they are asked for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from palimpsest.app.errors import format_error, out_of_range, unsupported
from palimpsest.app.schemas.documents import AnyFilter, array, one_of, ref
from palimpsest.app.schemas.filters import decode_filter
from palimpsest.app.schemas.selectors import WithPayload, WithVector
from palimpsest.app.spelling import ABSENT
from palimpsest.index import MAX_EF, Filter, queries

MAX_COUNT = 2**64 - 1  # of a limit or an offset: all there are

AnyQuery: TypeAlias = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema=one_of(ref("Query"), {"type": "null"}))
]
AnyPrefetch: TypeAlias = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        extra_json_schema=one_of(ref("LevelBody"), array(ref("LevelBody")), {"type": "null"})
    ),
]


class AcornBody(msgspec.Struct, forbid_unknown_fields=True):
    """When to walk a graph by two hops; the server decides so itself."""

    enable: bool | None = None
    max_selectivity: float | None = None


class CorpusBody(msgspec.Struct, forbid_unknown_fields=True):
    """The points whose sparse vectors are counted for idf."""

    corpus: AnyFilter


class QuantizationBody(msgspec.Struct, forbid_unknown_fields=True):
    """How codes take part in one search."""

    ignore: bool | None = None
    rescore: bool | None = None
    oversampling: float | None = None


class ParamsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs of one search.

    ``indexed_only`` changes nothing: rows without a graph are searched by their codes, which is
    quick as well.
    """

    hnsw_ef: int | None = None
    exact: bool | None = None
    quantization: QuantizationBody | None = None
    indexed_only: bool | None = None
    acorn: AcornBody | None = None
    idf: CorpusBody | Literal["global"] | None = None


class LookupBody(msgspec.Struct, forbid_unknown_fields=True):
    """Where the vectors of examples given by id are read."""

    collection: str
    vector: str | None = None
    shard_key: Any = None


class LevelBody(msgspec.Struct, forbid_unknown_fields=True):
    """What every level of a query may hold; on its own a prefetch."""

    query: AnyQuery = msgspec.field(default_factory=msgspec.Raw)
    using: str | None = None
    limit: int | None = None
    score_threshold: float | None = None
    params: ParamsBody | None = None
    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    prefetch: AnyPrefetch = msgspec.field(default_factory=msgspec.Raw)
    lookup_from: LookupBody | None = None


class QueryBody(LevelBody, forbid_unknown_fields=True):
    """Body of ``POST points/query``."""

    offset: int | None = None
    with_payload: WithPayload = None
    with_vector: WithVector = None
    shard_key: Any = None


class QueryBatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/query/batch``."""

    searches: list[QueryBody]


class WithLookupBody(msgspec.Struct, forbid_unknown_fields=True):
    """The collection that has a point for each group, whose id is the group."""

    collection: str
    with_payload: WithPayload = None
    with_vectors: WithVector = None


class GroupsBody(LevelBody, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST points/query/groups``."""

    group_by: str
    group_size: int | None = None
    with_payload: WithPayload = None
    with_vector: WithVector = None
    with_lookup: str | WithLookupBody | None = None
    shard_key: Any = None


NO_PARAMS = ParamsBody()
NO_QUANTIZATION = QuantizationBody()


def to_filter(text: msgspec.Raw) -> Filter | None:
    """Return the filter of a body, None when it has none. Raises Refusal."""
    return None if bytes(text) in ABSENT else decode_filter(text)


def to_params(body: ParamsBody | None) -> queries.SearchParams:
    """Return the knobs of a level. Raises Refusal for one out of range."""
    params = body or NO_PARAMS
    codes = params.quantization or NO_QUANTIZATION
    check_params(params, codes)
    corpus = params.idf.corpus if isinstance(params.idf, CorpusBody) else None
    return queries.SearchParams(
        ef=params.hnsw_ef,
        exact=bool(params.exact),
        rescore=codes.rescore,
        oversampling=codes.oversampling,
        ignore_codes=bool(codes.ignore),
        idf=params.idf is not None,
        idf_corpus=None if corpus is None else to_filter(corpus),
    )


def check_params(params: ParamsBody, codes: QuantizationBody) -> None:
    """Raise Refusal for a knob out of range."""
    if params.hnsw_ef is not None:
        between("params.hnsw_ef", params.hnsw_ef, 1, MAX_EF, 1)
    if codes.oversampling is not None and not codes.oversampling >= 1:
        raise out_of_range(
            "params.quantization.oversampling",
            f"value {codes.oversampling} invalid, must be 1.0 or larger",
        )
    if params.acorn is not None and not 0 <= (params.acorn.max_selectivity or 0) <= 1:
        raise out_of_range(
            "params.acorn.max_selectivity",
            f"value {params.acorn.max_selectivity} invalid, must be from 0.0 to 1.0",
        )


def between(field: str, given: int | None, least: int, most: int, default: int) -> int:
    """Return a number, or the default for None. Raises Refusal when it is out of range."""
    if given is None:
        return default
    # A negative number is no unsigned one: a matter of shape (400), as in Qdrant, not of range
    # (422).
    if given < 0:
        raise format_error(f"{field}: expected an integer of 0 or more, got {given}")
    if not least <= given <= most:
        bound = f"{least} or larger" if given < least else f"{most} or smaller"
        raise out_of_range(field, f"value {given} invalid, must be {bound}")
    return given


def limit_of(body: LevelBody, default: int = queries.DEFAULT_LIMIT) -> int:
    """Return how many results are asked for. Raises Refusal."""
    return between("limit", body.limit, 1, MAX_COUNT, default)


def offset_of(body: QueryBody) -> int:
    """Return how many results are to be left out. Raises Refusal."""
    return between("offset", body.offset, 0, MAX_COUNT, 0)


def to_lookup(body: LookupBody | None) -> queries.Lookup | None:
    """Return where examples are read. Raises Refusal."""
    if body is None:
        return None
    if body.shard_key is not None:
        raise unsupported("lookup_from.shard_key")
    return queries.Lookup(body.collection, body.vector)
