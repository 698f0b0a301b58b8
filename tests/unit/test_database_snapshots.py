"""Snapshots of whole databases: restored they answer as before, under load they are one prefix."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionNotFound,
    CreateAlias,
    Damaged,
    Database,
    Filter,
    InvalidConfig,
    InvalidInput,
    InvalidSnapshot,
    PalimpsestError,
    SearchRequest,
    SnapshotNotFound,
    SnapshotPlan,
    StorageFull,
    StoreFailed,
)
from palimpsest.index.filters.expression import Range
from palimpsest.index.snapshots import unpacking
from palimpsest.index.snapshots.swapping import Swaps
from tests.formats.write_sets import as_lists
from tests.points import batch_of, config_of
from tests.unit.snapshots.conftest import NAME, SIZE, fill

MUTATIONS = 48


def answers(collection: Collection) -> tuple[object, ...]:
    """Return all that a collection holds, and what it answers."""
    records, _ = collection.scroll(None, 10_000, with_vectors=True)
    held = [(one.id, one.payload, one.vectors[""].tobytes()) for one in records]  # type: ignore[index, union-attr]
    queries = np.random.default_rng(9).standard_normal((5, SIZE)).astype(np.float32)
    some = Filter(must=(Range(("n",), gte=3),))
    found = [
        collection.search(SearchRequest(query, k=20, exact=exact, filter=filter))
        for query in queries
        for exact in (True, False)
        for filter in (None, some)
    ]
    lists = [(tuple(one.ids), one.distances.tobytes()) for one in found]
    return held, lists, collection.count(some), collection.config, dict(collection.payload_indexes)


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database)
    return database


def path_of(database: Database, name: str | None = NAME) -> Path:
    shelf = database.snapshots.shelf
    return shelf.find(name, shelf.list(name)[-1].name)


@pytest.mark.parametrize("name", [NAME, "another", "ü" * 127])
def test_what_is_restored_answers_as_before(name: str, filled: Database) -> None:
    before = answers(filled.get(NAME))
    info = filled.snapshots.create(NAME)
    filled.get(NAME).delete(list(range(200))).result()
    filled.snapshots.recover(name, path_of(filled), info.checksum)
    assert answers(filled.get(name)) == before
    filled.get(name).delete([5]).result()  # it takes writes
    assert filled.get(name).count() == 296
    if name != NAME:
        assert filled.get(NAME).count() == 99


def test_an_empty_collection_and_one_that_was_dropped(database: Database) -> None:
    database.create("c", config_of(3))
    database.snapshots.create("c")
    database.drop("c")
    assert len(database.snapshots.shelf.list("c")) == 1
    database.snapshots.recover("c", path_of(database, "c"))
    assert database.get("c").count() == 0


def test_it_survives_a_restart(filled: Database, tmp_path: Path) -> None:
    before = answers(filled.get(NAME))
    filled.snapshots.create(NAME)
    filled.snapshots.recover("copy", path_of(filled))
    filled.close()
    with Database.open(tmp_path / "database", threads=1) as again:
        assert answers(again.get("copy")) == before == answers(again.get(NAME))
        assert list((tmp_path / "database" / "unfinished").iterdir()) == []


def test_of_all_collections(filled: Database, tmp_path: Path) -> None:
    filled.create("two", config_of(3))
    filled.change_aliases([CreateAlias("second", "two")])
    before = answers(filled.get(NAME))
    info = filled.snapshots.create_whole()
    assert info.name.startswith("full-snapshot-")
    with Database.open(tmp_path / "other", threads=1) as other:
        contents = other.snapshots.recover_whole(path_of(filled, None))
        assert contents.aliases == other.aliases() == {"second": "two"}
        assert other.names() == sorted([NAME, "two"])
        assert answers(other.get(NAME)) == before
        with pytest.raises(InvalidSnapshot):
            other.snapshots.recover("x", path_of(filled, None))
        with pytest.raises(InvalidSnapshot):
            filled.snapshots.create(NAME)
            other.snapshots.recover_whole(path_of(filled))


def test_every_snapshot_under_writes_is_a_prefix_of_them(database: Database) -> None:
    database.create("c", config_of(SIZE, seal_rows=300))
    collection, ended = database.get("c"), threading.Event()
    acknowledged = [0]

    def write() -> None:
        number = 0
        while not ended.is_set():
            rows = np.full((5, SIZE), number + 1, dtype=np.float32)
            payloads = [b'{"of":%d}' % number] * 5
            ids = list(range(number * 5, number * 5 + 5))
            collection.upsert(batch_of(ids, rows, payloads)).result()
            number += 1
            acknowledged[0] = number

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for turn in range(4):
            least = acknowledged[0]
            database.snapshots.create("c")
            most = acknowledged[0] + 1  # one may have been committed, and not answered
            database.snapshots.recover(f"copy{turn}", path_of(database, "c"))
            count = database.get(f"copy{turn}").count()
            assert count % 5 == 0 and least <= count // 5 <= most
            records, _ = database.get(f"copy{turn}").scroll(None, count + 1)
            assert [one.id for one in records] == list(range(count))
    finally:
        ended.set()
        writing.join()


def test_reads_and_writes_while_it_is_replaced_see_one_or_the_other(filled: Database) -> None:
    filled.snapshots.create(NAME)
    collection = filled.get(NAME)
    collection.upsert(batch_of([10_000], np.ones((1, SIZE), np.float32))).result()
    ended, seen = threading.Event(), set[int | str]()

    def read() -> None:
        while not ended.is_set():
            try:
                found = filled.get(NAME)
                seen.add(len(found.retrieve([5, 10_000])))
            except PalimpsestError as error:
                seen.add(type(error).__name__)

    reading = [threading.Thread(target=read) for _ in range(3)]
    for one in reading:
        one.start()
    filled.snapshots.recover(NAME, path_of(filled))
    while 1 not in seen:
        pass
    ended.set()
    for one in reading:
        one.join()
    assert {1, 2} <= seen <= {1, 2, "BeingReplaced", "CollectionNotFound"}


def test_what_is_refused_changes_nothing(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = filled.snapshots.create(NAME)
    path, before = path_of(filled), answers(filled.get(NAME))
    snapshots = filled.snapshots
    filled.change_aliases([CreateAlias("alias", NAME)])
    with pytest.raises(InvalidSnapshot, match="checksum mismatch"):
        snapshots.recover(NAME, path, "0" * 64)
    with pytest.raises(InvalidInput, match="at most 1000"):
        snapshots.recover(NAME, path, info.checksum, 1_000)
    with pytest.raises(InvalidInput, match="Alias"):
        snapshots.recover("alias", path)
    for name in ("a@b", "../x", "", "."):
        with pytest.raises(InvalidConfig):
            snapshots.recover(name, path)
    with pytest.raises(SnapshotNotFound):  # deleted while it waited for its turn
        snapshots.recover(NAME, tmp_path / "missing.snapshot")
    with pytest.raises(CollectionNotFound):
        snapshots.create("missing")
    monkeypatch.setattr("palimpsest.index.database_snapshots.free_bytes", lambda _: 10)
    with pytest.raises(StorageFull):
        snapshots.recover(NAME, path)
    assert answers(filled.get(NAME)) == before
    assert list((tmp_path / "database" / "unfinished").iterdir()) == []
    assert snapshots.stats()[NAME].failed == 0
    assert unpacking.free_bytes(tmp_path) > 10


def test_what_cannot_be_opened_is_taken_back(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.snapshots.create(NAME)
    before, opened = answers(filled.get(NAME)), Collection.open
    tries = iter([opened, None])  # to try it out; in its place

    def fails(*arguments: object, **options: object) -> Collection:
        one = next(tries, opened)
        if one is None:
            raise StoreFailed("no descriptors")
        return opened(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Collection, "open", fails)
    with pytest.raises(StoreFailed, match="no descriptors"):
        filled.snapshots.recover(NAME, path_of(filled))
    assert answers(filled.get(NAME)) == before
    tries = iter([opened, None])
    with pytest.raises(StoreFailed):
        filled.snapshots.recover("other", path_of(filled))
    assert filled.names() == [NAME]


def test_all_of_a_snapshot_of_all_are_put_in_place_or_none(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "z"):
        filled.create(name, config_of(3))
    filled.snapshots.create_whole()
    data = tmp_path / "other"
    with Database.open(data, threads=1) as other:
        fill(other)
        other.get(NAME).delete([0]).result()
        before, opened = answers(other.get(NAME)), Collection.open

        def fails(name: str, folder: Path, **options: object) -> Collection:
            if name == "z" and folder.parent.name == "collections":
                raise StoreFailed("no descriptors")
            return opened(name, folder, **options)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(Collection, "open", fails)
            with pytest.raises(StoreFailed, match="no descriptors"):
                other.snapshots.recover_whole(path_of(filled, None))
            assert other.names() == [NAME] and answers(other.get(NAME)) == before
        other.snapshots.recover_whole(path_of(filled, None))
        assert other.names() == ["a", "z", NAME] and answers(other.get(NAME)) != before


@pytest.mark.parametrize("name", [NAME, "new"])
def test_what_cannot_be_undone_takes_no_writes_and_is_undone_at_the_next_start(
    name: str, filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.snapshots.create(NAME)
    filled.get(NAME).delete([0]).result()
    before = answers(filled.get(NAME))

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Swaps, "commit", fails)
        patched.setattr(Swaps, "undo", fails)
        with pytest.raises(StoreFailed, match="could not be undone.*restart the server"):
            filled.snapshots.recover(name, path_of(filled))
        assert name in filled.names()
        with pytest.raises(StoreFailed, match="restart the server"):
            filled.get(name)
        for change in (
            lambda: filled.drop(name),
            lambda: filled.create("more", config_of(3)),
            lambda: filled.change_aliases([CreateAlias("x", NAME)]),
        ):
            with pytest.raises(StoreFailed, match="restart the server"):
                change()
    filled.close()
    with Database.open(tmp_path / "database", threads=1) as again:
        assert again.names() == [NAME] and answers(again.get(NAME)) == before


def test_what_was_stopped_makes_nothing(filled: Database) -> None:
    filled.snapshots.stop()
    with pytest.raises(StoreFailed):
        filled.snapshots.create(NAME)
    assert filled.snapshots.shelf.list(NAME) == []


def test_one_of_a_collection_that_is_dropped_meanwhile(filled: Database) -> None:
    snapshots, ends = filled.snapshots, iter([filled.drop, lambda _: None])

    def find(name: str) -> Collection:
        found = filled.get(name)
        next(ends)(name)  # at the first look; the second is that at what went wrong
        return found

    snapshots._host = replace(snapshots._host, find=find)
    with pytest.raises(CollectionNotFound):
        snapshots.create(NAME)
    assert snapshots.shelf.list(NAME) == []


def test_what_went_wrong_with_one_that_is_there_is_told(filled: Database) -> None:
    folder = filled.get(NAME).folder / "segments"
    next(next(folder.iterdir()).glob("*.npy")).unlink()
    with pytest.raises(Damaged):
        filled.snapshots.create(NAME)


def test_all_that_wait_for_their_turn_are_counted(filled: Database) -> None:
    snapshots = filled.snapshots
    with snapshots._alone():
        threads = [threading.Thread(target=snapshots.create, args=(NAME,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    assert snapshots.stats()[NAME].made == len(snapshots.shelf.list(NAME)) == 3


def test_closing_while_a_restore_and_the_schedule_wait(tmp_path: Path) -> None:
    plan = SnapshotPlan(hours=1e-9, keep=1)
    database = Database.open(tmp_path, threads=1, snapshots=plan)
    fill(database)
    database.snapshots.create(NAME)
    begun, real = threading.Event(), database.snapshots._host.place

    def place(folders: Mapping[str, Path], aliases: Mapping[str, str]) -> None:
        begun.set()
        time.sleep(0.5)  # until the schedule waits for this, and closing has begun
        real(folders, aliases)

    def restore() -> None:
        with pytest.raises(StoreFailed):
            while True:
                database.snapshots.recover(NAME, path_of(database))

    database.snapshots._host = replace(database.snapshots._host, place=place)
    restoring = threading.Thread(target=restore, daemon=True)
    restoring.start()
    assert begun.wait(20)
    time.sleep(0.2)
    closing = threading.Thread(target=database.close, daemon=True)
    closing.start()
    closing.join(20)
    restoring.join(20)
    assert not closing.is_alive() and not restoring.is_alive()


def mutated(text: bytes, seed: int) -> bytes:
    """Return a file that is other than a good one, in a way that a seed chooses."""
    draw = random.Random(seed)
    place = draw.randrange(len(text))
    kind = seed % 6
    if kind == 0:
        return text[:place] + bytes([text[place] ^ 1 << draw.randrange(8)]) + text[place + 1 :]
    if kind == 1:
        return text[:place]
    if kind == 2:
        length = draw.randrange(1, 600)
        return text[:place] + draw.randbytes(length) + text[place + length :]
    if kind == 3:
        other = draw.randrange(len(text) // 512) * 512
        place -= place % 512
        return text[:place] + text[other : other + 512] + text[place + 512 :]
    if kind == 4:
        return text[:place] + draw.randbytes(draw.randrange(1, 2_000)) + text[place:]
    return text + draw.randbytes(draw.randrange(1, 2_000))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with Database.open(tmp_path_factory.mktemp("fuzzed"), threads=1) as database:
        fill(database)
        database.snapshots.create(NAME)
        yield database


@pytest.mark.parametrize("first", range(6))
def test_no_mutation_is_ever_served(first: int, fuzzed: Database, tmp_path: Path) -> None:
    text, before = path_of(fuzzed).read_bytes(), answers(fuzzed.get(NAME))
    for seed in range(first, MUTATIONS, 6):
        other = mutated(text, seed)
        if other == text:
            continue
        (tmp_path / "x").write_bytes(other)
        with pytest.raises((InvalidInput, StorageFull)):
            fuzzed.snapshots.recover(NAME if seed // 6 % 2 else "new", tmp_path / "x")
    assert fuzzed.names() == [NAME]
    assert answers(fuzzed.get(NAME)) == before


def test_sets_of_vectors_are_restored(tmp_path: Path) -> None:
    golden = Path(__file__).parents[1] / "formats" / "sets_1.zip"
    with zipfile.ZipFile(golden) as archive:
        archive.extractall(tmp_path)
    stored = json.loads((tmp_path / "expected.json").read_text())
    with Database.open(tmp_path, threads=1) as database:
        database.snapshots.create("golden")
        database.snapshots.recover("again", path_of(database, "golden"))
        records, _ = database.get("again").scroll(None, 2_000, with_vectors=True)
        held = [
            [one.id, {name: as_lists(it) for name, it in (one.vectors or {}).items()}]
            for one in records
        ]
        assert held == stored["points"]


def test_leftovers_of_a_kill_are_gone_after_a_start(filled: Database, tmp_path: Path) -> None:
    filled.snapshots.create(NAME)
    folder = path_of(filled).parent
    (folder / "x.snapshot.tmp").write_text("half")
    before = answers(filled.get(NAME))
    filled.close()
    data = tmp_path / "database"
    (data / "unfinished" / "id.undo" / "old").mkdir(parents=True)
    shutil.move(data / "collections" / NAME, data / "unfinished" / "id.undo" / "old" / NAME)
    (data / "unfinished" / "other").mkdir()
    with Database.open(data, threads=1) as again:
        assert answers(again.get(NAME)) == before
        assert not (folder / "x.snapshot.tmp").exists()
        assert list((data / "unfinished").iterdir()) == []
        again.snapshots.known(again.names())
        stats = again.snapshots.stats()[NAME]
        assert stats.made == 0 and stats.last > 0 and stats.nbytes > 0


def test_a_version_has_none_of_its_own(database: Database) -> None:
    database.create("c", config_of(3))
    with pytest.raises(InvalidInput):
        database.snapshots.create("c@v1")
