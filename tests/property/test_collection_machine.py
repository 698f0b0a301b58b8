"""A collection does what a dict with exact search does, through seals, kills and reopens.

Points have payloads too; filters choose whose points are written, searched, counted and scrolled,
with payload indexes that come and go.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from palimpsest.index import (
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    PointId,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.errors import PointNotFound
from palimpsest.index.filters.expression import Filter, Path
from palimpsest.index.filters.paths import format_path, parse_path
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.storage.ids import key_of
from palimpsest.index.types import Vector, Vectors
from tests.conftest import open_collection
from tests.oracle import distances, normalise
from tests.property.living import Living
from tests.property.payload_model import (
    CASES,
    COMBINED,
    KEYS,
    KINDS,
    PATCHES,
    PAYLOADS,
    PLACES,
    Payload,
    Point,
    Whose,
    cut,
    patched,
)
from tests.property.payload_names import Names, names

SIZE = 5
NAMES = ("", "text")
IDS: list[PointId] = [*range(12), 2**64 - 1, *(UUID(int=n) for n in range(8))]
BULK = 1_100  # enough for the growing rows to be coded and for a segment to have a graph

Stored = tuple[int, Payload, dict[str, Vector]]  # seq, payload, vectors

Edit = Callable[[Payload], Payload]

filters = st.builds(
    lambda combine, one, other: combine(one, other),
    st.sampled_from(COMBINED),
    st.sampled_from(CASES),
    st.sampled_from(CASES),
)


class CollectionMachine(Living):
    """``self.model`` holds what the collection must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = 0
        self.model: dict[PointId, Stored] = {}

    @initialize(
        distance=st.sampled_from(Distance),
        encoding=st.sampled_from(["float32", "8", "4", "1"]),
        seed=st.integers(0, 2**32 - 1),
        keys=names,
    )
    def create(self, distance: Distance, encoding: Any, seed: int, keys: Names) -> None:
        self.distance = distance
        self.keys = keys
        self.rng = np.random.default_rng(seed)
        config = CollectionConfig(
            {name: VectorConfig(SIZE, distance, encoding) for name in NAMES},
            MaintenanceConfig(quiet_rows=1, quiet_seconds=0, tier_factor=2, dead_ratio=0.3),
        )
        self.collection = open_collection(self.here, config)

    def _vectors(self, n: int) -> Vectors:
        return self.rng.standard_normal((n, SIZE), dtype=np.float32) + np.float32(0.1)

    def _kept(self, vectors: Vectors) -> Vectors:
        return normalise(vectors) if self.distance is Distance.COSINE else vectors

    # Writes.

    @rule(ids=st.lists(st.sampled_from(IDS), min_size=1, max_size=6), drawn=st.data())
    def upsert(self, ids: list[PointId], drawn: st.DataObject) -> None:
        payloads = [drawn.draw(st.sampled_from(PAYLOADS)) for _ in ids]
        named, kept = {}, {}
        for name in NAMES:
            having = [i for i in range(len(ids)) if drawn.draw(st.booleans())]
            values = self._vectors(len(having))
            named[name] = NamedVectors(np.array(having, dtype=np.int64), values)
            kept[name] = dict(zip(having, self._kept(values), strict=True)) if having else {}
        texts = [self._text(payload) for payload in payloads]
        seq = self.open.upsert(PointBatch(ids, named, texts)).result()
        self._advance(seq)
        for place, one in enumerate(ids):
            vectors = {name: kept[name][place] for name in NAMES if place in kept[name]}
            self.model[one] = (seq, payloads[place] or {}, vectors)

    @rule(start=st.integers(0, 2_000))
    def upsert_many(self, start: int) -> None:
        ids: list[PointId] = list(range(start, start + BULK))
        values = self._vectors(BULK)
        named = {"": NamedVectors(np.arange(BULK), values)}
        seq = self.open.upsert(PointBatch(ids, named, [None] * BULK)).result()
        self._advance(seq)
        for one, vector in zip(ids, self._kept(values), strict=True):
            self.model[one] = (seq, {}, {"": vector})

    @rule(ids=st.lists(st.sampled_from(IDS), max_size=6))
    def delete(self, ids: list[PointId]) -> None:
        self._advance(self.open.delete(ids).result())
        for one in ids:
            self.model.pop(one, None)

    @rule(step=st.integers(2, 4))
    def delete_many(self, step: int) -> None:
        ids = [one for one in self.model if isinstance(one, int) and one % step == 0]
        self._advance(self.open.delete(ids).result())
        for one in ids:
            self.model.pop(one, None)

    @rule(ids=st.lists(st.sampled_from(IDS), min_size=3, max_size=3))
    def write_together(self, ids: list[PointId]) -> None:
        values = self._vectors(3)
        futures = [
            self.open.upsert(
                PointBatch([one], {"": NamedVectors(np.arange(1), values[i : i + 1])}, [None])
            )
            for i, one in enumerate(ids)
        ]
        futures.append(self.open.delete(ids[:1]))
        for i, one in enumerate(ids):
            self.model[one] = (futures[i].result(), {}, {"": self._kept(values)[i]})
        self.model.pop(ids[0], None)
        self._advance(futures[0].result(), last=futures[-1].result())

    def _advance(self, first: int, last: int | None = None) -> None:
        assert first == self.seq + 1
        self.seq = first if last is None else last

    # Payloads, and writes to the points that a filter chooses.

    def _filter(self, whose: Whose) -> Filter:
        return self.keys.filter(whose.filter)

    def _text(self, payload: Payload | None) -> bytes | None:
        return self.keys.text_of(payload)

    def _chosen(self, whose: Whose) -> list[PointId]:
        return [one for one in self.model if whose.holds(self._point(one))]

    def _point(self, one: PointId) -> Point:
        _, payload, vectors = self.model[one]
        return Point(one, payload, vectors.keys())

    def _edit(self, future: Future[int], ids: list[PointId], edit: Edit) -> None:
        seq = future.result()
        self._advance(seq)
        for one in ids:
            _, payload, vectors = self.model[one]
            self.model[one] = (seq, edit(payload), vectors)

    @rule(whose=filters, patch=st.sampled_from(PATCHES), at=st.sampled_from(PLACES))
    def set_payload(self, whose: Whose, patch: Payload, at: Path) -> None:
        future = self.open.set_payload(
            self._filter(whose), self._text(patch) or b"", self.keys.path(at)
        )
        self._edit(future, self._chosen(whose), lambda payload: patched(payload, patch, at))

    @rule(
        ids=st.lists(st.sampled_from(IDS), min_size=1, max_size=4), patch=st.sampled_from(PATCHES)
    )
    def set_payload_of_ids(self, ids: list[PointId], patch: Payload) -> None:
        """Points that are missing are named by an error, and the others are written."""
        future = self.open.set_payload(ids, self._text(patch) or b"")
        there = [one for one in dict.fromkeys(ids) if one in self.model]
        if len(there) < len({*ids}):
            with pytest.raises(PointNotFound):
                future.result()
            future = Future()
            future.set_result(self.seq + 1)
        self._edit(future, there, lambda payload: patched(payload, patch, ()))

    @rule(whose=filters, new=st.sampled_from(PAYLOADS))
    def overwrite_payload(self, whose: Whose, new: Payload | None) -> None:
        future = self.open.overwrite_payload(self._filter(whose), self._text(new or {}) or b"")
        self._edit(future, self._chosen(whose), lambda _: new or {})

    @rule(whose=filters, path=st.sampled_from(KEYS))
    def delete_payload(self, whose: Whose, path: Path) -> None:
        future = self.open.delete_payload(self._filter(whose), [self.keys.path(path)])
        self._edit(future, self._chosen(whose), lambda payload: cut(payload, path))

    @rule(whose=filters)
    def clear_payload(self, whose: Whose) -> None:
        self._edit(
            self.open.clear_payload(self._filter(whose)),
            self._chosen(whose),
            lambda _: {},
        )

    @rule(whose=filters)
    def delete_chosen(self, whose: Whose) -> None:
        chosen = self._chosen(whose)
        self._advance(self.open.delete(self._filter(whose)).result())
        for one in chosen:
            del self.model[one]

    @rule(whose=filters, mode=st.sampled_from(["upsert", "insert_only", "update_only"]))
    def upsert_conditionally(self, whose: Whose, mode: Any) -> None:
        ids, values = IDS[:4], self._vectors(4)
        batch = PointBatch(
            ids, {"": NamedVectors(np.arange(4), values)}, [self._text({"n": 1})] * 4
        )
        seq = self.open.upsert(batch, mode=mode, condition=self._filter(whose)).result()
        self._advance(seq)
        for one, vector in zip(ids, self._kept(values), strict=True):
            there = one in self.model
            replaced = there and mode != "insert_only" and whose.holds(self._point(one))
            if replaced or (not there and mode != "update_only"):
                self.model[one] = (seq, {"n": 1}, {"": vector})

    @rule(whose=filters, name=st.sampled_from(NAMES))
    def delete_vectors(self, whose: Whose, name: str) -> None:
        chosen = self._chosen(whose)
        seq = self.open.delete_vectors(self._filter(whose), [name]).result()
        self._advance(seq)
        for one in chosen:
            _, payload, vectors = self.model[one]
            kept = {other: vector for other, vector in vectors.items() if other != name}
            self.model[one] = (seq, payload, kept)

    @rule(key=st.sampled_from(sorted(KINDS)))
    def create_index(self, key: str) -> None:
        path = format_path(self.keys.path(parse_path(key)))
        self.open.create_index(path, FieldIndex.from_declared(KINDS[key])).result()
        assert path in self.open.state().fields

    @rule(key=st.sampled_from(sorted(KINDS)))
    def drop_index(self, key: str) -> None:
        path = format_path(self.keys.path(parse_path(key)))
        self.open.drop_index(path).result()
        assert path not in self.open.state().fields

    # Upkeep, kills and reopens change nothing.

    @rule()
    def seal(self) -> None:
        self.open.upkeep.seal()
        assert self.open.upkeep.last_error is None
        assert all(
            part.live == 0 for one in self.open.view.vectors.values() for part in one.growing
        )

    @rule()
    def compact(self) -> None:
        while self.open.upkeep.due.compact_delay() is not None:
            self.open.upkeep.compact()
            assert self.open.upkeep.last_error is None

    @rule()
    def reopen(self) -> None:
        before = self._search_all()
        self.open.close()
        self.collection = open_collection(self.here)
        for (ids, found), (same_ids, same) in zip(before, self._search_all(), strict=True):
            assert ids == same_ids
            np.testing.assert_array_equal(found, same)

    def _search_all(self) -> list[tuple[list[PointId], Vector]]:
        query = np.ones(SIZE, dtype=np.float32)
        answers = [
            self.open.search(SearchRequest(query, name, k=20, exact=exact))
            for name in NAMES
            for exact in (True, False)
        ]
        return [(list(answer.ids), answer.distances) for answer in answers]

    # What must hold at all times.

    @invariant()
    def counts_agree(self) -> None:
        if self.collection is None:
            return
        assert self.open.count() == len(self.model)
        state = self.open.state()
        assert state.seq == self.seq
        for name in NAMES:
            expected = sum(name in vectors for _, _, vectors in self.model.values())
            assert state.vectors[name].points == expected

    @precondition(lambda self: self.collection is not None)
    @rule(ids=st.lists(st.sampled_from(IDS), max_size=8))
    def retrieve(self, ids: list[PointId]) -> None:
        records = self.open.retrieve(ids, with_vectors=True)
        assert [record.id for record in records] == [one for one in ids if one in self.model]
        for record in records:
            self._check(record.id, record.seq, record.payload, dict(record.vectors or {}))

    @precondition(lambda self: self.collection is not None)
    @rule(limit=st.integers(1, 700))
    def scroll(self, limit: int) -> None:
        seen, start = [], None
        while True:
            records, start = self.open.scroll(start, limit, with_vectors=True)
            for record in records:
                self._check(record.id, record.seq, record.payload, dict(record.vectors or {}))
            seen += [record.id for record in records]
            if start is None:
                break
        ordered = sorted(self.model, key=lambda one: (isinstance(one, UUID), _number(one)))
        assert seen == ordered

    def _check(
        self, one: PointId, seq: int, payload: bytes | None, vectors: dict[str, Vector]
    ) -> None:
        expected_seq, expected_payload, expected = self.model[one]
        assert (seq, self.keys.read(payload)) == (expected_seq, expected_payload)
        assert vectors.keys() == expected.keys()
        for name, vector in vectors.items():
            np.testing.assert_allclose(vector, expected[name], rtol=2e-6, atol=1e-7)

    @precondition(lambda self: self.collection is not None)
    @rule(name=st.sampled_from(NAMES), k=st.integers(1, 40), offset=st.integers(0, 5))
    def search_exactly(self, name: str, k: int, offset: int) -> None:
        query = self._vectors(1)[0]
        answer = self.open.search(SearchRequest(query, name, k=k, offset=offset, exact=True))
        having = [one for one, (_, _, vectors) in self.model.items() if name in vectors]
        assert len(answer.ids) == len(set(answer.ids)) == max(0, min(k, len(having) - offset))
        assert set(answer.ids) <= set(having)
        assert list(answer.seqs) == [self.model[one][0] for one in answer.ids]
        if len(answer.ids):
            rows = np.stack([self.model[one][2][name] for one in having])
            truth = distances(query[None, :], rows, self.distance)[0]
            expected = np.sort(truth)[offset : offset + k]
            np.testing.assert_allclose(answer.distances, expected, rtol=1e-4, atol=1e-5)
            own = dict(zip(having, truth, strict=True))
            np.testing.assert_allclose(
                answer.distances, [own[one] for one in answer.ids], rtol=1e-4, atol=1e-5
            )

    @precondition(lambda self: self.collection is not None)
    @rule(whose=filters, limit=st.integers(1, 9))
    def choose(self, whose: Whose, limit: int) -> None:
        chosen = sorted(self._chosen(whose), key=lambda one: (isinstance(one, UUID), _number(one)))
        assert self.open.count(self._filter(whose)) == len(chosen)
        records, start = self.open.scroll(None, limit, self._filter(whose))
        assert [record.id for record in records] == chosen[:limit]
        assert start == (chosen[limit] if len(chosen) > limit else None)

    @precondition(lambda self: self.collection is not None)
    @rule(whose=filters, name=st.sampled_from(NAMES), k=st.integers(1, 30), exact=st.booleans())
    def search_among(self, whose: Whose, name: str, k: int, exact: bool) -> None:
        """As many results come back as there are, whatever the filter."""
        request = SearchRequest(
            self._vectors(1)[0], name, k=k, exact=exact, filter=self._filter(whose)
        )
        answer = self.open.search(request)
        having = {one for one in self._chosen(whose) if name in self.model[one][2]}
        assert len(answer.ids) == len(set(answer.ids)) == min(k, len(having))
        assert set(answer.ids) <= having
        assert (np.diff(answer.distances) >= 0).all()

    @precondition(lambda self: self.collection is not None)
    @rule(name=st.sampled_from(NAMES), k=st.integers(1, 10))
    def search(self, name: str, k: int) -> None:
        query = self._vectors(1)[0]
        answer = self.open.search(SearchRequest(query, name, k=k))
        having = [one for one, (_, _, vectors) in self.model.items() if name in vectors]
        assert len(answer.ids) == len(set(answer.ids)) == min(k, len(having))
        assert set(answer.ids) <= set(having)
        assert (np.diff(answer.distances) >= 0).all()


def _number(one: PointId) -> int:
    key = key_of(one)
    return key if isinstance(key, int) else int.from_bytes(key, "big")


CollectionMachine.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestCollection = CollectionMachine.TestCase
