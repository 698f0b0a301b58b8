"""A log that is not as it was written: nothing that was answered is missing, or it is refused.

A copy of an open collection's folder is what a kill leaves. Each trial damages one, at random, and
opens it: either it holds all that was answered, or it is refused by name, with its log and every
segment still there.

``PALIMPSEST_LOG_DAMAGES`` sets the number of trials, ``PALIMPSEST_DAMAGE_SEED`` the seed.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from palimpsest.index import Collection, CollectionConfig, Database, FieldIndex
from palimpsest.index.config.vectors import MaintenanceConfig, VectorConfig
from palimpsest.index.doctor.restoring import main, restore
from palimpsest.index.errors import Damaged
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.storage.checkpoints import Checkpoints
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reach import Reach, create_record, read_record
from palimpsest.index.storage.wal import read_log
from palimpsest.index.types import Distance
from tests.conftest import open_collection
from tests.crash.damaging import DAMAGE, FRAME, LOG, RECORD, STORE, Trial
from tests.damage import flip as flip_bit
from tests.points import batch_of

TRIALS = int(os.environ.get("PALIMPSEST_LOG_DAMAGES", "150"))
SEED = int(os.environ.get("PALIMPSEST_DAMAGE_SEED", str(np.random.SeedSequence().entropy))) % 2**63
SIZE = 6
Points: TypeAlias = dict[int, tuple[bytes | None, bytes]]  # payload and vector by id


@dataclass
class Writing:
    """A collection, and what it was answered to hold."""

    collection: Collection
    rng: np.random.Generator
    points: Points

    def upsert(self, first: int, n: int) -> None:
        rows = self.rng.standard_normal((n, SIZE), dtype=np.float32)
        payloads = [b'{"n":%d,"t":"%d"}' % (first + i, self.rng.integers(99)) for i in range(n)]
        ids = [*range(first, first + n)]
        self.collection.upsert(batch_of(ids, rows, payloads)).result()
        for one, row, payload in zip(ids, rows, payloads, strict=True):
            self.points[one] = payload, row.tobytes()

    def delete(self, ids: list[int]) -> None:
        self.collection.delete(ids).result()
        for one in ids:
            self.points.pop(one, None)

    def overwrite(self, one: int) -> None:
        payload = b'{"n":%d,"edited":true}' % self.rng.integers(1_000)
        self.collection.overwrite_payload([one], payload).result()
        self.points[one] = payload, self.points[one][1]

    def write_some(self, first: int) -> None:
        for start in range(first, first + 60, 20):
            self.upsert(start, 20)
        self.delete([first + 3, first + 30])
        for one in (first, first + 7, first + 50):
            self.overwrite(one)
        self.upsert(first, 2)


@dataclass(frozen=True)
class State:
    """A copy of a folder as a kill leaves it, an earlier one, and what it holds."""

    folder: Path
    before: list[Path]  # earlier ones of the same collection
    points: Points


def begin(folder: Path, seed: int) -> Writing:
    config = CollectionConfig(
        {"": VectorConfig(SIZE, Distance.EUCLID)},
        MaintenanceConfig(seal_rows=64, quiet_rows=1, quiet_seconds=0),
    )
    return Writing(open_collection(folder, config), np.random.default_rng(seed), {})


def seal(writing: Writing) -> None:
    """Seal all that grows, piece by piece."""
    while any(part.live for part in writing.collection.view.vectors[0].growing):
        writing.collection.upkeep.seal()
        assert writing.collection.upkeep.last_error is None


def index_payloads(writing: Writing) -> None:
    writing.collection.create_index("n", FieldIndex.from_declared("integer")).result()


def empty_log(writing: Writing) -> None:
    assert Checkpoints(writing.collection.writer.store.path).trim()


def roll_back(writing: Writing) -> None:
    """Leave frames of a transaction that came to nothing behind the log, and go on over them."""
    store, connection = writing.collection.writer.store, writing.collection.writer.store._connection

    def spill() -> None:
        connection.execute("PRAGMA cache_size = 5")
        with pytest.raises(ZeroDivisionError), store.transaction():
            for number in range(300):
                connection.execute(
                    "INSERT INTO staged VALUES (?,0,0,0,0,'',?,'',0)",
                    (10**9 + number, bytes(3_000)),
                )
            raise ZeroDivisionError

    writing.collection.writer.call(spill).result()


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[State]]:
    """Copies made after each step of one history."""
    base = tmp_path_factory.mktemp("states")
    writing = begin(base / "open", SEED % 1_000)
    steps = (
        index_payloads,
        lambda one: one.write_some(100),
        seal,
        lambda one: one.write_some(200),
        empty_log,
        lambda one: one.write_some(130),
        seal,
        roll_back,
        lambda one: one.upsert(400, 3),
        lambda one: one.collection.upkeep.compact(),
        lambda one: one.write_some(500),
    )
    made: list[State] = []
    writing.write_some(0)
    copies = [copy_of(writing.collection.folder, base / "copy")]
    for number, step in enumerate(steps):
        step(writing)
        folder = copy_of(writing.collection.folder, base / f"copy{number}")
        made.append(State(folder, [*copies], dict(writing.points)))
        copies.append(folder)
    yield made
    writing.collection.close()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of another collection with a longer history, as a kill leaves it."""
    base = tmp_path_factory.mktemp("other")
    writing = begin(base / "open", 1)
    for start in range(0, 900, 60):
        writing.write_some(start)
    folder = copy_of(writing.collection.folder, base / "copy")
    writing.collection.close()
    return folder


def copy_of(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target))


def held(collection: Collection) -> Points:
    records, _ = collection.scroll(None, 10_000, with_payload=True, with_vectors=True)
    return {int(one.id): (one.payload, one.vectors[""].tobytes()) for one in records}  # type: ignore


def folders(folder: Path) -> set[str]:
    """Return the names of folders that are there, wherever they are now."""
    names = {
        one.name for kind in ("segments", "fields", "adapters") for one in folder.glob(f"{kind}/*")
    }
    return names | {one.name.split("-", 1)[1] for one in folder.glob("lost+found/*")}


def require_kept(folder: Path, points: Points) -> str:
    """Open a damaged copy; return how that ended."""
    log = (folder / LOG).read_bytes() if (folder / LOG).exists() else None
    there = folders(folder)
    try:
        collection = open_collection(folder)
    except Damaged as error:
        assert str(folder) in str(error)
        assert (folder / LOG).read_bytes() == log if log else True
        assert folders(folder) == there
        return "refused"
    found = held(collection)
    collection.close()
    assert found == points
    return "held"


@pytest.fixture
def state(states: list[State], tmp_path: Path) -> State:
    """A copy of the last state, to be damaged: a long log behind three segments."""
    last = states[-1]
    return State(copy_of(last.folder, tmp_path / "kept"), last.before, last.points)


def test_what_a_kill_leaves_is_whole(states: list[State], tmp_path: Path) -> None:
    for number, state in enumerate(states):
        folder = copy_of(state.folder, tmp_path / str(number))
        assert require_kept(folder, state.points) == "held"
        assert not (folder / "lost+found").exists()
        assert require_kept(folder, state.points) == "held"


def test_nothing_answered_is_missing_in_silence(
    states: list[State], other: Path, tmp_path: Path
) -> None:
    rng, kinds = np.random.default_rng(SEED), sorted(DAMAGE)
    print(f"PALIMPSEST_DAMAGE_SEED={SEED}")  # noqa: T201
    seen: Counter[str] = Counter()
    for number in range(TRIALS):
        state, kind = states[int(rng.integers(len(states)))], kinds[number % len(kinds)]
        folder = copy_of(state.folder, tmp_path / str(number))
        (folder / LOG).touch()
        before = state.before[int(rng.integers(len(state.before)))]
        DAMAGE[kind](Trial(folder, before, other, rng))
        try:
            seen[f"{kind}: {require_kept(folder, state.points)}"] += 1
        except BaseException as error:
            error.add_note(f"trial {number}: {kind} in {state.folder}, seed {SEED}")
            raise
        shutil.rmtree(folder)
    assert any(one.endswith("refused") for one in seen)
    assert any(one.endswith("held") for one in seen)


def flip(path: Path, place: int) -> None:
    text = bytearray(path.read_bytes())
    text[place] ^= 16
    path.write_bytes(text)


@pytest.mark.parametrize("bit", range(16))
def test_versions_of_the_file_format_are_damage(bit: int, state: State) -> None:
    """SQLite would take the store for one that it must not write to, or for none."""
    flip_bit(state.folder / STORE, 18 * 8 + bit)
    with pytest.raises(Damaged, match="versions of a file"):
        open_collection(state.folder)


@pytest.mark.parametrize("what", ["segment", "schema"])
def test_a_refused_store_keeps_its_log(what: str, state: State) -> None:
    """Or a backup of the damaged file alone would bring nothing back."""
    if what == "segment":
        (hurt, *_) = sorted((state.folder / "segments").glob("*/kept.npy"))
    else:
        hurt = state.folder / STORE
    whole, log = hurt.read_bytes(), (state.folder / LOG).read_bytes()
    place = whole.find(b"CREATE TRIGGER") if what == "schema" else len(whole) - 5
    flip(hurt, place)
    for _ in range(2):
        with pytest.raises(Damaged, match=hurt.name):
            open_collection(state.folder)
        assert (state.folder / LOG).read_bytes()[: len(log)] == log
    hurt.write_bytes(whole)
    assert require_kept(state.folder, state.points) == "held"


def lose_power(state: State) -> None:
    """Put the record back to its first state, as if it had never been written to disk again."""
    shutil.copy(state.before[0] / RECORD, state.folder / RECORD)


@pytest.mark.parametrize("power", [True, False])
def test_a_bit_of_the_first_frame(state: State, power: bool, tmp_path: Path) -> None:
    """The collection is refused by name, others are served, and the log is kept as it was."""
    if not power:
        lose_power(state)
    flip(state.folder / LOG, 32 + 24 + 100)
    log = (state.folder / LOG).read_bytes()
    data = tmp_path / "data"
    with Database.open(data) as database:
        database.create("other", state_config())
    shutil.move(state.folder, data / "collections" / "kept")
    folder = data / "collections" / "kept"
    there = folders(folder)
    for _ in range(2):
        with Database.open(data) as database:
            (text,) = database.damaged().values()
            assert LOG in text and "nothing was deleted" in text
            with pytest.raises(Damaged):
                database.get("kept")
            assert database.get("other").count() == 0
        assert (folder / LOG).read_bytes() == log
        assert folders(folder) == there and len(there) >= 3


def state_config() -> CollectionConfig:
    return CollectionConfig({"": VectorConfig(SIZE, Distance.EUCLID)})


@pytest.mark.parametrize("place", [0, 9, 17, 25])
def test_a_header_whose_log_was_never_recorded(state: State, place: int) -> None:
    lose_power(state)
    flip(state.folder / LOG, place)
    assert require_kept(state.folder, state.points) == "refused"


def test_a_segment_tells_of_a_log_that_is_missing_with_its_record(states: list[State]) -> None:
    """A backup of files that were copied at different times."""
    sealed = [one for one in states if len(list(one.folder.glob("segments/*"))) > 0][0]
    folder = copy_of(sealed.folder, sealed.folder.with_name("mixed"))
    for name in (STORE, LOG, RECORD):
        shutil.copy(sealed.before[0] / name, folder / name)
    assert require_kept(folder, sealed.points) == "refused"


def test_a_commit_that_nobody_was_answered_about_is_dropped(state: State) -> None:
    """The end of a log after a power loss: frames of the next commit, one of them not written."""
    collection = open_collection(state.folder)
    collection.delete([500]).result()
    after = copy_of(state.folder, state.folder.with_name("after"))
    collection.close()
    shutil.copy(state.before[-1] / RECORD, after / RECORD)
    text = bytearray((after / LOG).read_bytes())
    log = read_log(after / LOG, 4_096, 3)
    assert log is not None and log.torn > 2
    end = 32 + FRAME * (log.torn - 1)  # of the last but one
    text[end - FRAME : end] = bytes(FRAME)
    (after / LOG).write_bytes(text)
    assert require_kept(after, {**state.points}) == "held"


def test_what_segments_hold_is_restored(state: State, tmp_path: Path) -> None:
    """The database of a moment before the first seal, and nothing else of the store."""
    folder = tmp_path / "data" / "collections" / "kept"
    folder.parent.mkdir(parents=True)
    shutil.move(state.folder, folder)
    shutil.copy(state.before[0] / STORE, folder / STORE)
    (folder / LOG).unlink()
    segments = [read_rows(path) for path in folder.glob("segments/*")]
    sealed = {one: row for rows in segments for one, row in rows.items()}
    assert require_kept(folder, state.points) == "refused"

    restored = restore(folder)
    assert restored.unread == () and restored.segments == len(segments)
    assert restored.vectors >= restored.points_without_payload == len(sealed) > 100
    with Database.open(tmp_path / "data") as database:
        assert database.damaged() == {}
        found = held(database.get("kept"))
    assert {one: vector for one, (_, vector) in found.items()} == sealed
    kept = {one.name.rpartition("-")[0] for one in folder.glob("lost+found/*")}
    assert kept == {"store", "segments", "fields"}
    assert (folder / "lost+found" / "store-1" / RECORD).exists()


def test_restoring_what_is_whole_changes_nothing(state: State, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "collections" / "kept"
    folder.parent.mkdir(parents=True)
    shutil.move(state.folder, folder)
    restored = restore(folder)
    assert (restored.vectors, restored.unread) == (0, ())
    assert require_kept(folder, state.points) == "held"


def test_a_missing_record_is_accepted_by_restoring(state: State, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "collections" / "kept"
    folder.parent.mkdir(parents=True)
    shutil.move(state.folder, folder)
    (folder / RECORD).unlink()
    assert require_kept(folder, state.points) == "refused"
    assert main([str(folder)]) == 0
    assert require_kept(folder, state.points) == "held"


def read_rows(path: Path) -> dict[int, bytes]:
    segment = Sealed.open(Local(path), zlib.crc32((path / "segment.json").read_bytes()))
    vectors = segment.vectors_of(np.arange(segment.n))
    return {int(one): row.tobytes() for one, row in zip(segment.ids, vectors, strict=True)}


def test_a_log_is_read_as_sqlite_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "any.sqlite3"
    writing = sqlite3.connect(path, isolation_level=None)
    writing.execute("PRAGMA journal_mode = WAL")
    writing.execute("CREATE TABLE some (n)")
    for number in range(50):
        writing.execute("INSERT INTO some VALUES (?)", (number,))
    log = path.with_name(path.name + "-wal")
    for cut_at in range(32, log.stat().st_size, 3_333):
        copy = tmp_path / f"{cut_at}.sqlite3"
        shutil.copy(path, copy)
        copy.with_name(copy.name + "-wal").write_bytes(log.read_bytes()[:cut_at])
        ours = read_log(copy.with_name(copy.name + "-wal"), 4_096, 2)
        reading = sqlite3.connect(copy)
        try:
            found = reading.execute("SELECT count(*) FROM some").fetchone()[0]
        except sqlite3.OperationalError:  # not even the table
            found = -1
        reading.close()
        assert found == (0 if ours is None else len(ours.commits)) - 1
    writing.close()


def test_a_folder_that_no_table_lists_is_set_aside(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = state.folder / "segments" / "unknown"
    shutil.copytree(next(state.folder.glob("segments/*")), unknown)
    (state.folder / "segments" / "unfinished.tmp").mkdir()
    with caplog.at_level(logging.WARNING):
        assert require_kept(state.folder, state.points) == "held"
    assert "lost+found" in caplog.text
    assert [one.name for one in state.folder.glob("lost+found/*")] == ["segments-unknown"]
    assert not list(state.folder.glob("segments/*.tmp"))


def test_a_folder_that_was_planned_is_deleted(state: State) -> None:
    """A crash between a segment and its line in the manifest."""
    collection = open_collection(state.folder)
    name = collection.writer.plan_folder()
    shutil.copytree(next(state.folder.glob("segments/*")), state.folder / "segments" / name)
    collection.close()
    assert require_kept(state.folder, state.points) == "held"
    assert not (state.folder / "segments" / name).exists()
    assert not (state.folder / "lost+found").exists()


def test_records_hold_everything_twice(tmp_path: Path) -> None:
    path = tmp_path / RECORD
    reach = Reach(1, 2, 3, 4)
    create_record(path, reach)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        text = bytearray(whole)
        text[bit // 8] ^= 1 << bit % 8
        path.write_bytes(text)
        assert read_record(path) == reach
