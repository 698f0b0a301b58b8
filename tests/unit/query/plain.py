"""A plain twin of what queries read: everything in memory, every distance computed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.filters.expression import Filter, Path
from palimpsest.index.filters.matching import Facts, compile_filter
from palimpsest.index.filters.tokens import Tokenizer
from palimpsest.index.filters.values import parse_datetime, values_at
from palimpsest.index.payload.indexes import OrderColumn
from palimpsest.index.payload.values import read_number
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import Distance, PointId, Record, SparseVector, VersionedQuery
from tests.oracle import distances, normalise

BLOCKS = 3  # that points come in where all are scored


class Point(NamedTuple):
    id: PointId
    vectors: Mapping[str, Any]  # a list of floats, or a dict of indices and values
    payload: dict[str, Any]


class Ranking(NamedTuple):
    numbers: NDArray[np.uint32]
    distances: NDArray[np.float32]


class Plain:
    """Points by number, which is their place in the list; noise spoils estimated distances."""

    tokenizers: Mapping[Path, Tokenizer] = {}

    def __init__(
        self,
        points: Sequence[Point],
        names: Mapping[str, VectorConfig | SparseConfig],
        ordered: Sequence[Path] = (),
        noise: float = 0.0,
    ) -> None:
        self.points = points
        self.vector_names = names
        self.live = BitMap(range(len(points)))
        self._ordered = ordered
        self._noise = noise
        self.seconds: dict[str, float] = {}

    @property
    def estimates(self) -> int:
        return 0  # there are no versions, and no bridges

    def forget_estimates(self, since: int) -> None:
        assert since == 0

    def took(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def leading(self, name: str, query: VersionedQuery) -> VectorConfig:
        raise AssertionError("there are no versions here")

    def allowed(self, filter: Filter | None) -> BitMap | None:
        if filter is None:
            return None
        check = compile_filter(filter)
        return BitMap(
            n for n, p in enumerate(self.points) if check(Facts(p.id, p.payload, [*p.vectors]))
        )

    def nearest(
        self, request: SearchRequest, allowed: BitMap | None, corpus: BitMap | None = None
    ) -> Ranking:
        name, query, max_distance = request.vector_name, request.query, request.max_distance
        if isinstance(self.vector_names[name], SparseConfig):
            scored = self._sparse_distances(name, query, corpus)
        else:
            numbers = self._having(name, None)
            row = self.rescore(name, np.asarray(query)[None, :], numbers)[0].tolist()
            scored = dict(zip(numbers.tolist(), row, strict=True))
        kept = [
            (distance, _rank(self.points[number].id), number)
            for number, distance in scored.items()
            if (allowed is None or number in allowed)
            and (max_distance is None or np.float32(distance) <= max_distance)
        ]
        best = sorted(kept)[: request.k]
        return Ranking(
            np.array([number for *_, number in best], dtype=np.uint32),
            np.array([distance for distance, *_ in best], dtype=np.float32),
        )

    def vectors(self, name: str, numbers: Any) -> tuple[Any, Any]:
        config = self.vector_names[name]
        assert isinstance(config, VectorConfig)
        found = [self.points[n].vectors.get(name) for n in numbers.tolist()]
        has = np.array([one is not None for one in found], dtype=bool)
        zero = [0.0] * config.size
        rows = np.array([one or zero for one in found], dtype=np.float32).reshape(-1, config.size)
        if config.distance is Distance.COSINE and has.any():
            rows[has] = normalise(rows[has])
        return rows, has

    def examples(self, name: str, numbers: Any) -> Sequence[Any]:
        if isinstance(self.vector_names[name], SparseConfig):
            return [self._sparse(name, number) for number in numbers.tolist()]
        rows, has = self.vectors(name, numbers)
        return [row if one else None for row, one in zip(rows, has, strict=True)]

    def score(
        self, name: str, targets: Any, allowed: BitMap | None, *, corpus: BitMap | None = None
    ) -> Iterator[tuple[Any, Any, bool]]:
        if isinstance(self.vector_names[name], SparseConfig):
            yield from self._score_sparse(name, targets, allowed, corpus)
            return
        targets = np.stack(targets)
        rng = np.random.default_rng(1)
        for numbers in np.array_split(self._having(name, allowed), BLOCKS):
            exact = self.rescore(name, targets, numbers)
            if self._noise and len(numbers):
                spoiled = exact + rng.normal(0, self._noise, exact.shape)
                yield numbers, spoiled.astype(np.float32), False
            else:
                yield numbers, exact, True

    def _score_sparse(
        self, name: str, targets: Any, allowed: BitMap | None, corpus: BitMap | None
    ) -> Iterator[tuple[Any, Any, bool]]:
        found = [self._sparse_distances(name, target, corpus) for target in targets]
        for numbers in np.array_split(self._having(name, allowed), BLOCKS):
            rows = [[one.get(number, 0.0) for number in numbers.tolist()] for one in found]
            scored = np.array(rows, dtype=np.float32).reshape(len(targets), len(numbers))
            yield numbers, scored, True

    def rescore(self, name: str, targets: Any, numbers: Any) -> Any:
        config = self.vector_names[name]
        assert isinstance(config, VectorConfig)
        rows, _ = self.vectors(name, numbers)
        if not len(rows):
            return np.empty((len(targets), 0), dtype=np.float32)
        return distances(np.asarray(targets), rows, config.distance).astype(np.float32)

    def numbers_of(self, ids: Sequence[PointId]) -> list[int | None]:
        known = {point.id: number for number, point in enumerate(self.points)}
        return [known.get(one) for one in ids]

    def first(self, points: BitMap, limit: int) -> Any:
        ordered = sorted(points, key=lambda number: _rank(self.points[number].id))
        return np.array(ordered[:limit], dtype=np.uint32)

    def ids_of(self, numbers: Any) -> dict[int, PointId]:
        return {number: self.points[number].id for number in numbers.tolist()}

    def payloads(self, numbers: Any) -> list[bytes | None]:
        return [json.dumps(self.points[number].payload).encode() for number in numbers.tolist()]

    def records(
        self, numbers: Any, *, with_payload: bool, with_vectors: bool | tuple[str, ...]
    ) -> list[Record | None]:
        texts = self.payloads(numbers) if with_payload else [None] * len(numbers)
        return [
            Record(self.points[number].id, 0, text)
            for number, text in zip(numbers.tolist(), texts, strict=True)
        ]

    def order_column(self, path: Path, allowed: BitMap) -> OrderColumn | None:
        if path not in self._ordered:
            return None
        rows = [
            (number, value)
            for number, point in enumerate(self.points)
            if number in allowed
            for value in map(_order_value, values_at(point.payload, path))
            if value is not None
        ]
        return OrderColumn(
            np.array([number for number, _ in rows], dtype=np.uint32),
            np.array([value for _, value in rows]),
            BitMap(),
            read_number,
        )

    def _having(self, name: str, allowed: BitMap | None) -> Any:
        having = [
            number
            for number, point in enumerate(self.points)
            if name in point.vectors and (allowed is None or number in allowed)
        ]
        return np.array(having, dtype=np.uint32)

    def _sparse(self, name: str, number: int) -> SparseVector | None:
        given = self.points[number].vectors.get(name)
        if given is None:
            return None
        pairs = sorted(zip(given["indices"], given["values"], strict=True))
        return SparseVector(
            np.array([index for index, _ in pairs], dtype=np.uint32),
            np.array([value for _, value in pairs], dtype=np.float32),
        )

    def _sparse_distances(
        self, name: str, query: SparseVector, corpus: BitMap | None
    ) -> dict[int, float]:
        rows = {
            number: dict(zip(row.indices.tolist(), row.values.tolist(), strict=True))
            for number in range(len(self.points))
            if (row := self._sparse(name, number)) is not None
        }
        config = self.vector_names[name]
        weights = dict(zip(query.indices.tolist(), query.values.tolist(), strict=True))
        if isinstance(config, SparseConfig) and config.modifier == "idf":
            counted = [row for n, row in rows.items() if corpus is None or n in corpus]
            for index in weights:
                having = sum(index in row for row in counted)
                weights[index] *= math.log((len(counted) - having + 0.5) / (having + 0.5) + 1)
        return {
            number: -sum(weights[index] * row[index] for index in weights.keys() & row.keys())
            for number, row in rows.items()
            if weights.keys() & row.keys()
        }


def _rank(one: PointId) -> tuple[bool, int]:
    return (True, one.int) if isinstance(one, UUID) else (False, one)


def _order_value(value: Any) -> int | float | None:
    if isinstance(value, str):
        return parse_datetime(value)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value
