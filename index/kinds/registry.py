"""The kinds of vector there are: one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from palimpsest.index.config import kinds as configs
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.kinds.dense.kind import DenseKind
from palimpsest.index.kinds.kind import Asked, Kind
from palimpsest.index.kinds.multi.kind import MultiKind
from palimpsest.index.kinds.sparse.kind import SparseKind
from palimpsest.index.search.closest import Closest
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.segments.searcher import SearchThreads
from palimpsest.index.view.view import AnyVectors, VectorView, View

AnyKind: TypeAlias = Kind[Any, Any, Any, Any]

_kinds: dict[str, AnyKind] = {}


def register(kind: AnyKind) -> None:
    """Have vectors of a further kind declared, opened and searched."""
    _kinds[kind.name] = kind
    configs.know(kind.name, kind.config_of)


register(DenseKind())
register(SparseKind())
register(MultiKind())


def kind_of(config: ColumnConfig) -> AnyKind:
    """Return the kind of a declared column."""
    return _kinds[config.kind]


def kind_named(name: str) -> AnyKind | None:
    """Return a kind by its name, None where no release so far had it."""
    return _kinds.get(name)


def empty(config: ColumnConfig) -> AnyVectors:
    """Return the view of a column without rows."""
    return VectorView(config, (), (kind_of(config).grow(config),))


def ahead(view: View, requests: Sequence[SearchRequest], threads: SearchThreads) -> list[Any]:
    """Do what can be done at once of several searches of a view; what each is ``Asked`` with."""
    found: list[Any] = [None] * len(requests)
    columns: dict[int, list[int]] = {}
    for place, request in enumerate(requests):
        if request.vector_name in view.config.every_name:
            columns.setdefault(view.config.number(request.vector_name), []).append(place)
    for column, places in columns.items():
        if len(places) > 1:
            vectors = view.vectors[column]
            some = [requests[place] for place in places]
            done = kind_of(vectors.config).ahead(view, vectors, some, threads)
            for place, one in zip(places, done, strict=True):
                found[place] = one
    return found


def search(view: View, asked: Asked) -> Closest:
    """Return the points of a view closest to what a request asks, whatever kind it is of.

    Raises:
        UnknownVectorName: the name is not declared.
        InvalidInput: another of its subclasses: the vector or a parameter is wrong.
    """
    column = view.config.number(asked.request.vector_name)
    vectors = view.vectors[column]
    return _kinds[vectors.config.kind].search(view, column, vectors, asked)
