"""Queries on the wire: ``query`` bodies to what the engine is asked.

A plain query, one search by a vector or an id, becomes a ``SearchRequest`` and is on a short way;
every other becomes a tree (``app.schemas.trees``).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias
from uuid import UUID

import msgspec
import numpy as np

from palimpsest.app.errors import wrong_input
from palimpsest.app.schemas.plain import ANY_VECTOR, MARK, Cut, PlainQueries, Query
from palimpsest.app.schemas.points import refuse_clauses
from palimpsest.app.schemas.searches import (
    NO_PARAMS,
    NO_QUANTIZATION,
    QueryBatchBody,
    QueryBody,
    check_params,
    limit_of,
    offset_of,
    to_filter,
)
from palimpsest.app.schemas.selectors import PayloadSelector, select_vectors
from palimpsest.app.schemas.targets import to_target
from palimpsest.app.schemas.trees import to_tree
from palimpsest.app.spelling import ABSENT
from palimpsest.index import (
    CollectionConfig,
    ColumnConfig,
    InvalidVector,
    KindVector,
    MultiConfig,
    MultiVector,
    SearchRequest,
    SparseConfig,
    UnknownVectorName,
    VectorConfig,
    farthest,
    is_similarity,
    queries,
)


class Tree(NamedTuple):
    """Any other query, and how the payloads of its answer are cut."""

    request: queries.QueryRequest
    select: PayloadSelector


Asked: TypeAlias = Query | Tree


class Early(NamedTuple):
    """A body that the short way read and did not answer, which is not read again.

    ``config`` says what its names meant.
    """

    config: CollectionConfig
    asked: Asked


_QUERY = msgspec.json.Decoder(QueryBody)
_QUERIES = msgspec.json.Decoder(QueryBatchBody)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NO_PAYLOAD = PayloadSelector(None, default=False)


def decode_query(text: bytes, config: CollectionConfig) -> Asked:
    """Return the query that the text of a body asks for; raises as ``to_query`` does."""
    found = _PLAIN.find(text, config)
    return to_query(_QUERY.decode(text), config) if found is None else found


def cut_query(text: bytes, config: CollectionConfig) -> Cut | None:
    """Return a plain query without its vector, None for a text that is to be decoded.

    Raises as ``to_query`` does.
    """
    return _PLAIN.cut(text, config)


def _read_marked(text: bytes, config: CollectionConfig) -> Query | None:
    rest = _QUERY.decode(text)
    if _names_mark(bytes(rest.query)) and is_one_level(rest):
        return to_search(rest, config, ANY_VECTOR)
    return None


_PLAIN = PlainQueries(_read_marked)


def decode_queries(text: bytes, config: CollectionConfig) -> list[Asked]:
    """Return the queries that the text of a batch asks for; raises as ``to_query`` does."""
    return [to_query(each, config) for each in _QUERIES.decode(text).searches]


def to_query(body: QueryBody, config: CollectionConfig) -> Asked:
    """Return the query a body asks for.

    Raises:
        Refusal: a clause is unsupported, out of range, or of the wrong shape.
        InvalidInput: a vector, an id or a path cannot be read, or a name is not declared.
    """
    if is_one_level(body):
        target = _plain_target(bytes(body.query))
        if target is not None:
            return to_search(body, config, target)
    refuse_clauses(body, "shard_key")
    return Tree(*to_tree(body))


def is_one_level(body: QueryBody) -> bool:
    """Tell whether a body may be a plain query, if what it asks for is."""
    if body.lookup_from is not None or bytes(body.prefetch) not in (*ABSENT, b"[]"):
        return False
    return body.params is None or body.params.idf in (None, "global")


def _plain_target(text: bytes) -> queries.Target | None:
    """Return the target of a plain query, None for any other."""
    if text in ABSENT:
        return None
    if text[:1] != b"{":
        return to_target(text)
    clauses = _OBJECT.decode(text)
    if clauses.keys() == {"indices", "values"}:
        return to_target(text)
    nearest = clauses.pop("nearest", None)
    if nearest is None or any(n != "mmr" or bytes(v) != b"null" for n, v in clauses.items()):
        return None
    return to_target(bytes(nearest), "query.nearest")


def to_search(body: QueryBody, config: CollectionConfig, target: queries.Target) -> Query:
    """Return the plain query of one target; raises as ``to_query`` does."""
    if body.shard_key is not None:
        refuse_clauses(body, "shard_key")
    name = body.using or ""
    declared = config.find(name)
    if declared is None:
        raise UnknownVectorName(name, list(config.vectors))
    target = as_declared(target, name, declared)
    params = body.params or NO_PARAMS
    if params.idf is not None and not isinstance(declared, SparseConfig):
        raise wrong_input(
            f"`params.idf` is about sparse vectors, {name!r} is declared {declared.kind}"
        )
    codes = params.quantization or NO_QUANTIZATION
    if params is not NO_PARAMS:
        check_params(params, codes)
    asked = body.with_payload
    select = _NO_PAYLOAD if asked is None else PayloadSelector(asked, default=False)
    similarity = is_similarity(declared)
    request = SearchRequest(
        query=target,
        vector_name=name,
        k=limit_of(body),
        offset=offset_of(body),
        ef=params.hnsw_ef,
        exact=bool(params.exact),
        rescore=codes.rescore,
        oversampling=codes.oversampling,
        ignore_codes=bool(codes.ignore),
        max_distance=farthest(body.score_threshold, similarity),
        with_payload=select.wanted,
        with_vectors=select_vectors(body.with_vector),
        filter=to_filter(body.filter),
    )
    return Query(request, select, similarity)


def as_declared(target: queries.Target, name: str, declared: ColumnConfig) -> queries.Target:
    """Return a target as what its name is declared with: one vector is a set of one.

    Raises:
        InvalidVector: a vector is of another kind.
    """
    if isinstance(target, int | UUID):
        return target
    given = target.kind if isinstance(target, KindVector) else VectorConfig.kind
    if given == declared.kind:
        return target
    if declared.kind == MultiConfig.kind and isinstance(target, np.ndarray):
        return MultiVector(target[None, :])
    other = "sparse" if SparseConfig.kind in (given, declared.kind) else "multi"
    raise InvalidVector(
        f"Wrong input: Conversion between {other} and regular vectors failed: "
        f"got a {given} vector, but {name!r} is declared {declared.kind}"
    )


def _names_mark(text: bytes) -> bool:
    """Tell whether the whole of ``query``, or its only clause ``nearest``, was cut out."""
    if text == MARK:
        return True
    if text[:1] != b"{" or MARK not in text:
        return False
    clauses = _OBJECT.decode(text)
    return len(clauses) == 1 and "nearest" in clauses and bytes(clauses["nearest"]) == MARK
