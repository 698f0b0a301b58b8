"""Plain queries answered in the event loop: several at once as each alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from palimpsest.app.context import Context
from palimpsest.app.main import create_app
from palimpsest.app.routes import short_queries
from palimpsest.app.routes.short_queries import EARLY, FINISHED, Asked, ShortQueries
from palimpsest.app.settings import Settings
from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    NamedVectors,
    PointBatch,
    VectorConfig,
)
from tests.points import batch_of, config_of

NAMES = ("one", "другая")
SIZES = {"one": 2, "другая": 3}
GZIP = [(b"accept-encoding", b"gzip")]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    settings = Settings(data=tmp_path, threads=2, recall_share=0.0)
    context = create_app(settings).context
    context.open()
    for name, size in SIZES.items():
        config = CollectionConfig(vectors={"": VectorConfig(size=size, distance=Distance.EUCLID)})
        ids = range(2**60, 2**60 + 50)
        values = np.repeat(np.arange(50, dtype=np.float32)[:, None], size, axis=1)
        vectors = {"": NamedVectors(np.arange(50), values)}
        points = PointBatch([*ids], vectors, [None] * 50)
        context.database.create(name, config).upsert(points).result()
    yield context
    context.close()


def asked(name: str, body: Any, headers: Sequence[tuple[bytes, bytes]] = ()) -> Asked:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Asked(name, text, {"headers": [*headers]})


def told(reply: bytes | None) -> Any:
    return None if reply is None else json.loads(reply)["result"]


SHORT = [asked(name, {"query": [i] * SIZES[name], "limit": 2}) for i in (3, 7) for name in NAMES]
LONG = [
    asked("one", {"query": [1, 2, 3]}),
    asked("one", {"query": [1, 2], "limit": 0}),
    asked("one", b"{"),
    asked("no such", {"query": [1, 2]}),
    asked("one", {"prefetch": [{"query": [1, 2]}], "query": {"fusion": "rrf"}}),
    asked("one", {"query": [1, 2], "using": "other"}),
]


@pytest.mark.parametrize("others", [[], LONG[:1], LONG])
def test_all_at_once_is_each_alone(context: Context, others: list[Asked]) -> None:
    short = ShortQueries(context)
    every = [*SHORT, *others, *SHORT]
    alone = [told(short.answer(*one)) for one in every]
    assert [told(one) for one in short.answer_all(every)] == alone
    assert [one is not None for one in alone] == [True] * 4 + [False] * len(others) + [True] * 4
    assert alone[0]["points"][0]["id"] == 2**60 + 3
    assert short.answer_all([]) == []


def test_ready_queries_are_answered_as_any_other(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several at once, of which the engine reads the vectors itself, and one that it leaves."""
    size, n = 24, 1_500
    config = config_of(size, Distance.COSINE, encoding="float32", M=8)
    made = context.database.create("ready", config)
    rows = np.random.default_rng(5).standard_normal((n, size)).astype(np.float32)
    made.upsert(batch_of([2**60 + i for i in range(n)], rows)).result()
    made.upkeep.seal()
    short = ShortQueries(context)
    alike = {"limit": 3, "params": {"hnsw_ef": 12}}
    every = [asked("ready", {"query": row.tolist(), **alike}) for row in rows[:8]]
    every += [asked("ready", {"query": [0] * size, **alike}), *SHORT]
    plainly = [told(short._answer_one(one, perf_counter())) for one in every]
    texts: list[int] = []
    success = short_queries.success_of_points

    def counted(points: bytes, started: float) -> bytes:
        texts.append(len(points))
        return success(points, started)

    monkeypatch.setattr(short_queries, "success_of_points", counted)
    assert [told(one) for one in short.answer_all(every)] == plainly
    assert len(texts) == 8 and plainly[3]["points"][0]["id"] == 2**60 + 3
    assert plainly[3]["points"][0]["score"] == 1.0


def test_what_was_read_is_left_for_the_long_way(context: Context) -> None:
    short = ShortQueries(context)
    tree = LONG[4]._replace(scope={"headers": []})
    packed = asked("one", {"query": [1, 2], "limit": 50}, GZIP)
    short = ShortQueries(context)
    short._gzip_floor = 64
    assert short.answer_all([tree, packed, *SHORT[:2]])[:2] == [None, None]
    assert EARLY in tree.scope
    assert FINISHED not in tree.scope
    assert len(json.loads(packed.scope[FINISHED])["result"]["points"]) == 50


def test_each_is_counted_once(context: Context) -> None:
    def counted() -> int:
        return sum(count for *_, count, _ in context.metrics.requests.replies())

    before = counted()
    ShortQueries(context).answer_all([*SHORT, *LONG])
    assert counted() == before + len(SHORT)


def test_a_change_of_names_meanwhile_sends_them_the_long_way(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read means vectors of another distance than what was searched."""
    search_batch = Collection.search_batch

    def changed(self: Collection, requests: Any) -> Any:
        found = search_batch(self, requests)
        whole = context.database.get("one")
        whole.add_vector("more", VectorConfig(4, Distance.DOT), lambda declared: declared)
        return found

    monkeypatch.setattr(Collection, "search_batch", changed)
    replies = ShortQueries(context).answer_all([SHORT[0], SHORT[2]])
    assert replies == [None, None]


def test_each_search_took_its_own_time(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others of a turn took counts once: for them."""
    taken: list[float] = []
    monkeypatch.setattr(context.metrics, "search", lambda *counted: taken.append(counted[3]))
    started = perf_counter()
    ShortQueries(context).answer_all(SHORT * 10)
    assert len(taken) == 10 * len(SHORT)
    assert 0 < sum(taken) <= perf_counter() - started


def test_a_reply_without_room_is_none(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ASGI way tells of it; the replies to others are sent."""
    short = ShortQueries(context)
    expected = [told(short.answer(*one)) for one in SHORT]
    success = short_queries.success
    replies = 0

    def success_but_first(*given: Any) -> bytes:
        nonlocal replies
        replies += 1
        if replies == 1:
            raise MemoryError
        return success(*given)

    monkeypatch.setattr(short_queries, "success", success_but_first)
    assert [told(one) for one in short.answer_all(SHORT)] == [None, *expected[1:]]
    replies = 0
    assert short.answer(*SHORT[0]) is None
