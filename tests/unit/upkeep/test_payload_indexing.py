"""Payload indexes of a collection: built beside writes, kept over restarts, dropped."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    FieldIndex,
    PointBatch,
    QueryRequest,
    answer,
    queries,
)
from palimpsest.index.errors import InvalidInput, StorageFull, StoreFailed
from palimpsest.index.filters.expression import Filter, Match, Range
from palimpsest.index.payload import loading as loading_module
from palimpsest.index.storage.field_table import FieldEntry
from palimpsest.index.upkeep import payload_indexing as fields_module
from tests.conftest import OpenCollection, open_collection
from tests.damage import rewrite
from tests.fields import wait_until_built

KEYWORD = FieldIndex.from_declared("keyword")
INTEGER = FieldIndex.from_declared("integer")
COLOURS = ("red", "green", "blue")


def put(collection: Collection, ids: range, turn: int = 0) -> None:
    payloads = [json.dumps({"c": COLOURS[(n + turn) % 3], "n": n}).encode() for n in ids]
    collection.upsert(PointBatch(ids, {}, payloads)).result()


def colour(name: str) -> Filter:
    return Filter(must=(Match(("c",), (name,)),))


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    collection = collection_of(CollectionConfig({}))
    put(collection, range(300))
    collection.create_index("c", KEYWORD).result()
    collection.create_index("n", INTEGER).result()
    return collection


@pytest.fixture
def no_payloads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail when a filter looks at stored payloads."""

    def refuse(*_: object) -> Iterator[object]:
        raise AssertionError("payloads were read")

    monkeypatch.setattr("palimpsest.index.read.points.PointReader.payloads", refuse)
    yield


def test_an_index_follows_every_kind_of_write(collection: Collection, no_payloads: None) -> None:
    assert collection.count(colour("red")) == 100
    put(collection, range(0, 30), turn=1)
    collection.set_payload(range(30, 33), b'{"c": "black"}').result()
    collection.delete_payload([33], [("c",)]).result()
    collection.overwrite_payload([34], b'{"c": ["red", "black"]}').result()
    collection.clear_payload([35]).result()
    collection.delete(Filter(must=(Range(("n",), gte=200),))).result()
    expected = {name: 0 for name in (*COLOURS, "black")}
    for n in range(200):
        if n < 30:
            expected[COLOURS[(n + 1) % 3]] += 1
        elif n < 33:
            expected["black"] += 1
        elif n > 35:
            expected[COLOURS[n % 3]] += 1
    expected["red"] += 1
    expected["black"] += 1
    assert {name: collection.count(colour(name)) for name in expected} == expected


def test_what_was_indexed_is_so_after_opening_again(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(collection, range(0, 30), turn=1)
    before = {name: collection.count(colour(name)) for name in COLOURS}
    collection.close()
    monkeypatch.setattr(loading_module, "_index_anew", lambda *_: pytest.fail("payloads were read"))
    opened = open_collection(collection.folder)
    assert list(opened.writer.indexes.fields) == ["c", "n"]
    assert {name: opened.count(colour(name)) for name in COLOURS} == before
    assert opened.state().fields["n"].points == 300
    opened.close()


def test_points_touched_since_are_indexed_anew(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection.fields, "save", lambda: None)  # as if the program had died
    put(collection, range(290, 320), turn=1)
    collection.delete([0, 3]).result()
    collection.set_payload([1], b'{"c": "red"}').result()
    before = {name: collection.count(colour(name)) for name in COLOURS}
    collection.close()
    read: list[int] = []
    plain = loading_module.add_stored

    def count(store: object, numbers: list[int], add: object) -> None:
        read.append(len(numbers))
        plain(store, numbers, add)  # type: ignore[arg-type]

    monkeypatch.setattr(loading_module, "add_stored", count)
    opened = open_collection(collection.folder)
    assert sum(read) == 33  # 30 put, 2 deleted, 1 set
    assert {name: opened.count(colour(name)) for name in COLOURS} == before
    opened.close()


def test_an_index_that_was_not_finished_is_built_on_opening(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(collection.fields, "_build", lambda begun: begun.result() and 0)
        collection.create_index("other", KEYWORD).result()
    collection.close()
    opened = open_collection(collection.folder)
    for thread in threading.enumerate():
        if thread.name == "fields":
            thread.join(10)
    assert sorted(opened.writer.indexes.fields) == ["c", "n", "other"]
    opened.close()


def test_writes_go_on_while_an_index_is_built(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, no_payloads: None
) -> None:
    monkeypatch.setattr(loading_module, "PIECE", 16)
    collection.drop_index("c").result()
    futures = []
    plain = fields_module.PayloadIndexing._add

    def write_between(fields: object, building: object, numbers: object) -> None:
        turn = len(futures)
        ids = range(turn * 10, turn * 10 + 20)
        payloads = [b'{"c": "white"}' for _ in ids]
        futures.append(collection.upsert(PointBatch(ids, {}, payloads)))
        plain(fields, building, numbers)  # type: ignore[arg-type]

    monkeypatch.setattr(fields_module.PayloadIndexing, "_add", write_between)
    collection.create_index("c", KEYWORD).result()
    for future in futures:
        future.result()
    assert collection.count(colour("white")) == 10 * len(futures) + 10
    assert sum(collection.count(colour(name)) for name in COLOURS) == max(
        0, 300 - 10 * len(futures) - 10
    )


def test_the_same_declaration_again_changes_nothing(collection: Collection) -> None:
    field = collection.writer.indexes._fields
    collection.create_index("c", KEYWORD).result()
    assert collection.writer.indexes._fields is field
    collection.create_index("c", FieldIndex.from_declared("uuid")).result()
    assert collection.writer.indexes.fields["c"].kind == "uuid"


def test_the_same_declaration_joins_the_index_that_is_being_built(collection: Collection) -> None:
    begun, held = threading.Event(), threading.Event()
    collection.writer.call(lambda: begun.set() or held.wait())
    assert begun.wait(10)
    first, second = (collection.create_index("other", KEYWORD) for _ in range(2))
    other = collection.create_index("other", INTEGER)
    collection.drop_index("other")
    last = collection.create_index("other", INTEGER)
    held.set()
    assert first is second
    for replaced in (first, other):
        with pytest.raises(InvalidInput, match="dropped or replaced"):
            replaced.result()
    last.result()
    assert collection.writer.indexes.fields["other"] == INTEGER


def test_a_dropped_index_is_gone_from_disk(collection: Collection) -> None:
    collection.drop_index("c").result()
    collection.drop_index("never").result()
    assert collection.count(colour("red")) == 100
    assert len(list((collection.folder / "fields").iterdir())) == 1
    collection.close()
    opened = open_collection(collection.folder)
    assert list(opened.writer.indexes.fields) == ["n"]
    opened.close()


def test_an_index_dropped_while_it_is_built_never_answers(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading_module, "PIECE", 16)
    dropped = []
    plain = fields_module.PayloadIndexing._add

    def drop_first(fields: fields_module.PayloadIndexing, *rest: object) -> None:
        if not dropped:
            dropped.append(fields._drop("other"))
        plain(fields, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(fields_module.PayloadIndexing, "_add", drop_first)
    with pytest.raises(InvalidInput, match="dropped"):
        collection.create_index("other", KEYWORD).result()
    assert "other" not in collection.writer.indexes.fields


def test_many_touched_points_are_written_to_fresh_folders(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields_module, "_MOST_TOUCHED", 20)
    folders = set((collection.folder / "fields").iterdir())
    put(collection, range(40), turn=2)
    assert collection.upkeep.due.compact_delay() == 0
    collection.upkeep.compact()
    assert collection.upkeep.due.compact_delay() is None
    fresh = set((collection.folder / "fields").iterdir())
    assert len(fresh) == 2
    assert not fresh & folders
    assert collection.writer.store.fields.touched() == []


@pytest.mark.parametrize("kind", ["keyword", "integer"])
def test_a_folder_is_never_that_of_an_index_declared_anew_meanwhile(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    plain = fields_module.write_folder
    anew = FieldEntry("c", FieldIndex.from_declared(kind).to_json().decode(), None, None, 0)

    def declare_first(*arguments: Any) -> int:
        monkeypatch.setattr(fields_module, "write_folder", plain)
        collection.drop_index("c").result()
        collection.writer.call(lambda: collection.fields._begin(anew)).result()
        return plain(*arguments)

    put(collection, range(10), turn=1)
    monkeypatch.setattr(fields_module, "write_folder", declare_first)
    collection.fields.save()
    entries = {entry.key: entry.folder for entry in collection.writer.store.fields.entries()}
    assert entries["c"] is None
    assert len(list((collection.folder / "fields").iterdir())) == 1
    collection.close()
    reopened = open_collection(collection.folder)
    wait_until_built()
    assert reopened.writer.indexes.fields["c"].kind == kind
    assert reopened.count(colour("red")) == 99  # 3 of the first 10 instead of 4
    reopened.close()


def test_nothing_is_due_without_an_index(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields_module, "_MOST_TOUCHED", 20)
    put(collection, range(40), turn=2)
    for key in ("c", "n"):
        assert collection.upkeep.due.compact_delay() == 0
        collection.drop_index(key).result()
    assert collection.upkeep.due.compact_delay() is None
    assert collection.writer.store.fields.touched() == []


def test_a_path_has_one_index_however_it_is_written(collection: Collection) -> None:
    collection.create_index('"c"', KEYWORD).result()
    assert [entry.key for entry in collection.writer.store.fields.entries()] == ["c", "n"]
    collection.drop_index('"n"').result()
    assert list(collection.writer.indexes.fields) == ["c"]


def test_an_index_that_cannot_be_read_is_built_again(collection: Collection) -> None:
    collection.close()
    statement = "UPDATE fields SET declared = ? WHERE key = 'c'"
    rewrite(collection.folder / "store.sqlite3", statement, INTEGER.to_json().decode())
    opened = open_collection(collection.folder)
    wait_until_built()
    assert {key: index.kind for key, index in opened.writer.indexes.fields.items()} == {
        "c": "integer",
        "n": "integer",
    }
    assert opened.count(colour("red")) == 100
    opened.close()


def test_an_index_that_fails_to_be_built_is_given_up(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageFull("No space left")

    with monkeypatch.context() as patched:
        patched.setattr(fields_module.PayloadIndexing, "_add", fail)
        with pytest.raises(StorageFull):
            collection.create_index("other", KEYWORD).result()
    assert len(collection.writer.indexes) == 2
    with monkeypatch.context() as patched:
        patched.setattr(fields_module, "write_folder", fail)
        collection.create_index("other", KEYWORD).result()  # it answers, though it is not on disk
    assert "other" in collection.writer.indexes.fields
    collection.close()
    opened = open_collection(collection.folder)
    wait_until_built()
    assert sorted(opened.writer.indexes.fields) == ["c", "n", "other"]
    opened.close()


def test_folders_count_as_disk_bytes(collection: Collection) -> None:
    assert collection.sizes().disk["indexes"] == sum(
        file.stat().st_size for file in (collection.folder / "fields").glob("*/*")
    )


def test_an_index_declared_as_no_release_does_hinders_nothing(collection: Collection) -> None:
    collection.close()
    statement = """UPDATE fields SET declared = '{"type": "later"}' WHERE key = 'c'"""
    rewrite(collection.folder / "store.sqlite3", statement)
    opened = open_collection(collection.folder)
    wait_until_built()
    assert list(opened.writer.indexes.fields) == ["n"]
    assert opened.count(colour("red")) == 100
    opened.close()


@pytest.mark.parametrize("kind", ["integer", "float"])
@pytest.mark.parametrize("descending", [False, True])
def test_infinite_values_stand_once_in_an_order(
    collection_of: OpenCollection, kind: str, descending: bool
) -> None:
    """A payload may hold 1e400, even twice; each value of a point stands once."""
    collection = collection_of(CollectionConfig({}))
    values = [b"[1e400,1e400]", b"1e400", b"[-1e400,5,-1e400,5]", b"-0.0", b"[1e400,-1e400]"]
    payloads = [b'{"n":%b}' % value for value in values]
    collection.upsert(PointBatch(range(len(values)), {}, payloads)).result()
    collection.create_index("n", FieldIndex.from_declared(kind)).result()
    reading = collection.reading()
    root = queries.Prefetch(query=queries.OrderBy(("n",), descending), limit=20)
    found = answer(reading, QueryRequest(root), lambda _: reading)
    ids = [record.id for record in found.records]
    assert (ids[::-1] if descending else ids) == [2, 4, 3, 2, 0, 1, 4]
    infinite = float("inf")
    expected = [-infinite, -infinite, 0, 5, infinite, infinite, infinite]
    assert list(found.order_values or ()) == (expected[::-1] if descending else expected)


def test_an_index_whose_thread_cannot_be_started_is_told_and_built_when_asked_again(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "fields":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(StoreFailed, match="No thread could be started"):
            collection.create_index("d", KEYWORD).result(timeout=60)
    collection.create_index("d", KEYWORD).result(timeout=60)
    assert "d" in collection.payload_indexes
