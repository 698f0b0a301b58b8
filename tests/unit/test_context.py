"""What a server's routes share: opened once, closed in any case, bodies read by limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palimpsest.app.context import Call, Context
from palimpsest.app.errors import Refusal
from palimpsest.app.health.life import Stage
from palimpsest.app.settings import Settings
from palimpsest.index import CollectionConfig, CollectionNotFound, CreateAlias, VectorConfig

CONFIG = CollectionConfig({"": VectorConfig(2, "dot")})


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    opened = Context(Settings(data=tmp_path, threads=1, batch_limit=8, depth_limit=8))
    opened.open()
    yield opened
    opened.close()


def test_it_is_opened_once(context: Context) -> None:
    database = context.database
    context.open()
    assert context.database is database
    assert context.life.stage is Stage.SERVING


def test_one_that_was_never_opened_can_be_closed(tmp_path: Path) -> None:
    context = Context(Settings(data=tmp_path / "no such folder"))
    context.close()
    assert context.has_finished
    assert not (tmp_path / "no such folder").exists()


def test_a_dropped_collection_is_not_that_of_its_name(context: Context) -> None:
    old = context.database.create("écrits", CONFIG)
    context.refuse_dropped(old)
    context.database.drop("écrits")
    with pytest.raises(CollectionNotFound):
        context.refuse_dropped(old)
    context.database.create("écrits", CONFIG)
    with pytest.raises(CollectionNotFound):
        context.refuse_dropped(old)


def test_a_share_is_of_the_collection_and_not_of_its_name(context: Context) -> None:
    context.database.create("écrits", CONFIG)
    context.database.change_aliases([CreateAlias("pages", "écrits")])
    assert vars(context.share("pages")) == vars(context.share("écrits"))
    assert vars(context.share("pages")) != vars(context.share("leer"))


def test_long_work_that_is_not_over_in_time(context: Context) -> None:
    async def ask() -> None:
        started, ended = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> None:
            loop.call_soon_threadsafe(started.set)
            asyncio.run_coroutine_threadsafe(ended.wait(), loop).result(10)

        with pytest.raises(TimeoutError):
            await context.at_length(work, 0.01)
        await asyncio.wait_for(started.wait(), 10)
        ended.set()
        assert await context.at_length(lambda: "next") == "next"  # after the one before it

    asyncio.run(ask())


def call(context: Context, body: Any) -> Call:
    collection = context.database.create("docs", CONFIG)
    return Call(context, collection, b"", json.dumps(body).encode(), "")


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A body with any value."""

    ids: Any = None


DECODE = msgspec.json.Decoder(Body).decode


def test_bodies_list_and_nest_only_so_much(context: Context) -> None:
    asked = call(context, {"ids": list(range(8)), "colour": "é"})
    assert asked.read(Body, DECODE).ids == list(range(8))
    assert asked.warnings.kinds() == ["unknown_field"]
    many = msgspec.structs.replace(asked, body=b'{"ids": [%b]}' % b",".join([b"1"] * 100_000))
    with pytest.raises(Refusal):
        many.read(Body, DECODE)
    assert len(many.read_update(Body, DECODE).ids) == 100_000  # a write counts what it makes of it
    deep = msgspec.structs.replace(asked, body=b'{"ids": ' + b"[" * 9 + b"]" * 9 + b"}")
    with pytest.raises(Refusal, match="nested too deeply"):
        deep.read_update(Body, DECODE)
