"""Payload indexes that are of no use when they are opened: damaged, or of another release.

They are built again from the payloads, and meanwhile everything is answered from these.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyroaring import BitMap

from palimpsest.index import Collection, CollectionConfig, FieldIndex, PointBatch
from palimpsest.index.errors import StorageFull, UnknownFormat
from palimpsest.index.filters.expression import Filter, Match, MatchText, Range
from palimpsest.index.payload import indexes as indexes_module
from palimpsest.index.payload.field import IndexedField
from palimpsest.index.query.ordered import by_value
from palimpsest.index.query.request import OrderBy
from palimpsest.index.query.scope import Scope
from palimpsest.index.storage import files as files_module
from palimpsest.index.upkeep import payload_indexing as fields_module
from tests.conftest import OpenCollection, open_collection
from tests.fields import wait_until_built

N = 300
INDEXES = {
    "цвет": "keyword",
    "n": "integer",
    "t": {"type": "text", "tokenizer": "prefix", "lowercase": False},
}
COLOURS = ("красный", "зелёный", "синий")


def payload_of(n: int, turn: int = 0) -> bytes:
    return json.dumps({"цвет": COLOURS[(n + turn) % 3], "n": 2**60 + n, "t": f"Word{n}"}).encode()


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(CollectionConfig({}))
    made.upsert(PointBatch(range(N), {}, [payload_of(n) for n in range(N)])).result()
    for key, declared in INDEXES.items():
        made.create_index(key, FieldIndex.from_declared(declared)).result()  # type: ignore[arg-type]
    return made


def check(collection: Collection, reds: int = N // 3) -> None:
    def count(*conditions: object) -> int:
        return collection.count(Filter(must=conditions))  # type: ignore[arg-type]

    assert count(Match(("цвет",), ("красный",))) == reds
    assert count(Range(("n",), gte=2**60 + 1, lte=2**60 + 1)) == 1
    assert count(MatchText(("t",), "Word1", "all")) == 111  # 1, 10 to 19, 100 to 199
    assert count(MatchText(("t",), "word1", "all")) == 0
    last = by_value(collection.reading(), OrderBy(("n",), True), Scope(), 2)
    assert last.order_values == [2**60 + N - 1, 2**60 + N - 2]
    assert collection.state().fields.keys() == INDEXES.keys() == collection.payload_indexes.keys()


def folders(collection: Collection) -> set[Path]:
    return set((collection.folder / "fields").iterdir())


def flip_a_byte(folder: Path) -> None:
    file = max(folder.glob("*.npy"), key=lambda each: each.stat().st_size)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def cut(folder: Path) -> None:
    file = max(folder.glob("*.npy"), key=lambda each: each.stat().st_size)
    file.write_bytes(file.read_bytes()[:-1])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped byte": flip_a_byte,
    "a file cut short": cut,
    "a missing file": lambda folder: max(folder.glob("*.npy")).unlink(),
    "no description": lambda folder: (folder / "segment.json").unlink(),
    "an empty description": lambda folder: (folder / "segment.json").write_bytes(b""),
    "no folder": shutil.rmtree,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_folder_is_built_again(
    collection: Collection, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    collection.close()
    before = folders(collection)
    for folder in before:
        DAMAGE[kind](folder)
    opened = open_collection(collection.folder)
    assert opened.state().rebuilds == {"release": 0, "damage": 3}
    assert sum("is built again" in text for text in caplog.messages) == 3
    check(opened)
    wait_until_built()
    check(opened)
    assert opened.writer.indexes.fields.keys() == INDEXES.keys()
    assert len(folders(opened)) == 3 and not folders(opened) & before
    opened.close()
    again = open_collection(collection.folder)
    assert again.state().rebuilds == {"release": 0, "damage": 0}
    check(again)
    again.close()


def as_of_an_earlier_release(collection: Collection, patch: pytest.MonkeyPatch) -> None:
    """Close with folders as code wrote them that did not see some keys."""
    empty = {
        key: IndexedField(FieldIndex.from_declared(declared)).to_arrays()  # type: ignore[arg-type]
        for key, declared in INDEXES.items()
    }
    with patch.context() as patched:
        patched.setattr(indexes_module, "ARRAYS_FORMAT", 1)
        patched.setattr(
            indexes_module.PayloadIndexes, "dump", lambda _, key: (dict(empty[key]), {"format": 1})
        )
        collection.upsert(PointBatch([0], {}, [payload_of(0)])).result()
        collection.fields.save()
        collection.close()


def test_a_folder_of_an_earlier_release_is_built_again(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_of_an_earlier_release(collection, monkeypatch)
    opened = open_collection(collection.folder)
    assert opened.state().rebuilds == {"release": 3, "damage": 0}
    check(opened)
    wait_until_built()
    check(opened)
    assert opened.writer.indexes.fields.keys() == INDEXES.keys()
    assert opened.writer.indexes.candidates(Match(("цвет",), ("красный",)), BitMap()) is not None
    opened.close()
    again = open_collection(collection.folder)
    assert again.state().rebuilds == {"release": 0, "damage": 0}
    check(again)
    again.close()


def test_a_folder_of_a_newer_release_is_refused_by_name(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(files_module, "FORMAT", 99)
        collection.upsert(PointBatch([0], {}, [payload_of(0)])).result()
        collection.close()
    with pytest.raises(UnknownFormat, match="has format 99"):
        open_collection(collection.folder)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Building waits for this."""
    event, plain = threading.Event(), fields_module.PayloadIndexing._build

    def build(*arguments: object) -> int:
        event.wait(30)
        return plain(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fields_module.PayloadIndexing, "_build", build)
    yield event
    event.set()


def test_answers_are_right_while_it_is_built(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, held: threading.Event
) -> None:
    as_of_an_earlier_release(collection, monkeypatch)
    opened = open_collection(collection.folder)
    check(opened)
    for n in range(10, 20):
        opened.upsert(PointBatch([n], {}, [payload_of(n, turn=1)])).result()
    opened.delete([0]).result()
    reds = N // 3 - 1  # one is deleted; of the ten, three were red before and three are now
    check(opened, reds)
    assert opened.writer.indexes.fields == {}
    held.set()
    wait_until_built()
    assert opened.writer.indexes.fields.keys() == INDEXES.keys()
    check(opened, reds)
    opened.close()
    again = open_collection(collection.folder)
    check(again, reds)
    again.close()


def test_an_index_that_is_built_again_may_be_dropped_or_declared_anew(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, held: threading.Event
) -> None:
    as_of_an_earlier_release(collection, monkeypatch)
    opened = open_collection(collection.folder)
    same = opened.create_index("n", FieldIndex.from_declared("integer"))
    assert not same.done()
    other = opened.create_index("цвет", FieldIndex.from_declared("text"))
    opened.drop_index("t").result()
    held.set()
    same.result(10)
    other.result(10)
    wait_until_built()
    kinds = {key: index.kind for key, index in opened.writer.indexes.fields.items()}
    assert kinds == {"n": "integer", "цвет": "text"}
    opened.close()
    again = open_collection(collection.folder)
    assert {key: index.kind for key, index in again.payload_indexes.items()} == kinds
    assert again.state().rebuilds == {"release": 0, "damage": 0}
    again.close()


def test_a_full_disk_hinders_no_answer(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_of_an_earlier_release(collection, monkeypatch)

    def fail(*_: object) -> None:
        raise StorageFull("No space left")

    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(fields_module, "write_folder", fail)
            opened = open_collection(collection.folder)
            check(opened)
            wait_until_built()
            assert opened.writer.indexes.fields.keys() == INDEXES.keys()
            check(opened)
            opened.close()
    opened = open_collection(collection.folder)
    assert opened.state().rebuilds["release"] == 3
    wait_until_built()
    check(opened)
    opened.close()


def test_what_fails_to_be_built_is_answered_from_the_payloads(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_of_an_earlier_release(collection, monkeypatch)

    def fail(*_: object) -> None:
        raise StorageFull("No space left")

    with monkeypatch.context() as patched:
        patched.setattr(fields_module.PayloadIndexing, "_add", fail)
        opened = open_collection(collection.folder)
        wait_until_built()
    opened.upsert(PointBatch([0], {}, [payload_of(0)])).result()
    check(opened)
    opened.create_index("n", FieldIndex.from_declared("integer")).result(10)
    check(opened)
    assert opened.writer.indexes.fields.keys() == {"n"}
    opened.close()
    again = open_collection(collection.folder)
    wait_until_built()
    check(again)
    again.close()
