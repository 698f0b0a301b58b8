"""Adapters on the wire: bodies that may hold many vectors, and replies.

Vectors stay undecoded bytes until a whole column is read. What does not fit together (a matrix for
another kind, columns of another length than the version) is refused here; whether pairs are enough
to fit on is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

from palimpsest.app.errors import out_of_range, wrong_input
from palimpsest.app.schemas.documents import AnyDense
from palimpsest.app.schemas.searches import between
from palimpsest.index import (
    DEFAULT_HOLDOUT,
    DEFAULT_MAX_PAIRS,
    MAX_HOLDOUT,
    MAX_PAIRS,
    AdapterInfo,
    AskedKind,
    CollectionConfig,
    DimensionMismatch,
    FitRequest,
    InvalidInput,
    InvalidVector,
    MultiConfig,
    Pairs,
    VectorConfig,
    Vectors,
    VersionNotFound,
    parse_vectors,
)


class PairsBody(msgspec.Struct, forbid_unknown_fields=True):
    """The same items in two versions, place by place."""

    rows: list[AnyDense]
    queries: list[AnyDense]


class AdapterBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST adapters``: makes rows of one version searchable by queries of another.

    ``pairs`` are what is fitted on: the points that hold both versions (``held``), or these. Of
    them the share ``holdout`` is only measured on. ``query_pairs``, queries in both versions, make
    the measurements those of real queries. ``matrix`` (for the kind of that name) has a row per
    dimension of a query and a column per dimension of a stored row; ``anchors`` are for
    ``relative``.
    """

    rows: str
    queries: str
    vector: str = ""
    kind: AskedKind = "auto"
    pairs: Literal["held"] | PairsBody = "held"
    query_pairs: PairsBody | None = None
    matrix: list[AnyDense] | None = None
    anchors: PairsBody | None = None
    holdout: float | None = None
    max_pairs: int | None = None


class AdapterReply(msgspec.Struct):
    """An adapter: what it was fitted on, and what it was measured to be worth.

    While it is fitted ``progress`` goes from 0 to 1, ``stage`` says what is done, and ``report``
    is empty. A damaged one is not used: ``stage`` says what is wrong, fitting it again replaces it.
    ``untried`` are dearer kinds that ``auto`` has yet to try in the background: a better one
    replaces it. ``improving`` says how far that is, null where it waits.
    """

    vector: str
    rows: str
    queries: str
    kind: str
    state: Literal["fitting", "fitted", "damaged"]
    progress: float
    stage: str | None
    fitted_at: float | None
    pairs: int
    held_out: int
    report: dict[str, Any]
    untried: list[str]
    improving: ImprovingReply | None


class ImprovingReply(msgspec.Struct):
    """How far the trial of dearer kinds is, 0 to 1, and what is done."""

    progress: float
    stage: str


class AdaptersReply(msgspec.Struct):
    """All adapters of a collection."""

    adapters: list[AdapterReply]


def to_fit(body: AdapterBody, config: CollectionConfig) -> FitRequest:
    """Return the adapter a body asks to fit.

    Raises:
        Refusal: a clause means nothing beside the others, or is out of range.
        InvalidInput: a vector cannot be read, or is of another length than its version's.
        VersionNotFound: one of the versions is not declared.
    """
    if body.rows == body.queries:
        raise wrong_input(
            f"rows and queries: expected two versions, got {body.rows!r} twice: rows of a version "
            "are searched by its own queries without an adapter"
        )
    _check_clauses(body)
    rows = space_of(config, body.vector, body.rows).size
    queries = space_of(config, body.vector, body.queries).size
    held = isinstance(body.pairs, str)
    return FitRequest(
        vector=body.vector,
        rows=body.rows,
        queries=body.queries,
        kind=body.kind,
        pairs=None if held else _pairs(body.pairs, "pairs", rows, queries),
        query_pairs=_pairs(body.query_pairs, "query_pairs", rows, queries),
        matrix=None if body.matrix is None else _matrix(body.matrix, rows, queries),
        anchors=_pairs(body.anchors, "anchors", rows, queries),
        holdout=_holdout(body.holdout),
        max_pairs=between("max_pairs", body.max_pairs, 1, MAX_PAIRS, DEFAULT_MAX_PAIRS),
    )


def to_adapter_reply(adapter: AdapterInfo) -> AdapterReply:
    """Return an adapter as it is sent."""
    return AdapterReply(
        vector=adapter.vector,
        rows=adapter.rows,
        queries=adapter.queries,
        kind=adapter.kind,
        state=adapter.state,
        progress=adapter.progress,
        stage=adapter.stage,
        fitted_at=adapter.fitted_at,
        pairs=adapter.pairs,
        held_out=adapter.held_out,
        report=dict(adapter.report),
        untried=list(adapter.untried),
        improving=None if adapter.improving is None else ImprovingReply(*adapter.improving),
    )


def to_adapters_reply(adapters: Sequence[AdapterInfo]) -> AdaptersReply:
    """Return adapters as they are sent."""
    return AdaptersReply([to_adapter_reply(one) for one in adapters])


def space_of(config: CollectionConfig, vector: str, version: str) -> VectorConfig | MultiConfig:
    """Return the space of a version.

    Raises:
        UnknownVectorName: there is no dense vector of that name.
        VersionNotFound: it has no such version.
    """
    known: Mapping[str, Any] = {one.version: one for one in config.versions_of(vector)}
    if version not in known:
        raise VersionNotFound(version, known)
    return config.embedded_spaces[config.column_of(known[version])]


def _check_clauses(body: AdapterBody) -> None:
    """Refuse clauses that the kind asked for has no use for, or lacks."""
    if (body.matrix is not None) != (body.kind == "matrix"):
        raise wrong_input("`matrix` and kind `matrix` belong together: give both or neither")
    if body.anchors is not None and body.kind != "relative":
        raise wrong_input("`anchors` are of use to kind `relative` alone")


def _holdout(given: float | None) -> float:
    if given is None:
        return DEFAULT_HOLDOUT
    if not 0 < given <= MAX_HOLDOUT:
        raise out_of_range(
            "holdout", f"value {given} invalid, must be above 0, at most {MAX_HOLDOUT}"
        )
    return given


def _pairs(body: PairsBody | str | None, where: str, rows: int, queries: int) -> Pairs | None:
    if not isinstance(body, PairsBody):
        return None
    if len(body.rows) != len(body.queries):
        raise out_of_range(
            where,
            f"rows and queries are the same items place by place, got {len(body.rows)} rows and "
            f"{len(body.queries)} queries",
        )
    if not body.rows:
        raise out_of_range(where, "expected at least one pair")
    return Pairs(
        read_column(body.rows, f"{where}.rows", rows),
        read_column(body.queries, f"{where}.queries", queries),
    )


def _matrix(texts: Sequence[msgspec.Raw], rows: int, queries: int) -> Vectors:
    if len(texts) != queries:
        raise DimensionMismatch(queries, len(texts), "matrix: rows, one per dimension of a query")
    return read_column(texts, "matrix", rows)


def read_column(texts: Sequence[msgspec.Raw], where: str, size: int) -> Vectors:
    """Return vectors (n, size) of one length. Raises InvalidInput, naming place and position."""
    if not texts:
        return np.empty((0, size), dtype=np.float32)
    try:
        values = parse_vectors([bytes(text) for text in texts])
    except InvalidInput as error:
        raise InvalidVector(f"{where}: {error}") from None
    if values.shape[1] != size:
        raise DimensionMismatch(size, values.shape[1], where)
    if not np.isfinite(values).all():
        first = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise InvalidVector(f"{where}: vector {first}: expected finite numbers as float32")
    return values
