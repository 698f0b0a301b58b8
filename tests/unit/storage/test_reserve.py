"""What is kept on the disk for deletes, and given to nothing else."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from palimpsest.index import CreateAlias, Database, DeleteAlias
from palimpsest.index.collection import Collection
from palimpsest.index.errors import StorageFull
from palimpsest.index.storage import reserve, store
from palimpsest.index.storage.checkpoints import Checkpoints
from palimpsest.index.storage.files import write_folder
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import SIZE, Reserve
from tests.points import batch_of, config_of


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """How much room the disk says there is: plenty, until it is set."""
    free = SimpleNamespace(f_frsize=1, f_bavail=1 << 40, f_flag=0)
    monkeypatch.setattr(os, "statvfs", lambda _: free)
    yield free


def kept_at(folder: Path) -> Reserve:
    """Return a reserve that is kept."""
    own = Reserve(folder / "reserve")
    own.refill(at_once=True)
    assert (folder / "reserve").stat().st_size == SIZE
    return own


def test_released_room_is_for_what_frees_some(tmp_path: Path, room: SimpleNamespace) -> None:
    own = kept_at(tmp_path)
    with own.admitted(tmp_path):
        pass
    room.f_bavail = SIZE
    assert own.release() and own.released
    assert (tmp_path / "reserve").stat().st_size == 0
    with pytest.raises(StorageFull, match="deletes are carried out"), own.admitted(tmp_path):
        pass
    again = Reserve(tmp_path / "reserve")  # a restart gives it to nobody either
    with pytest.raises(StorageFull), again.admitted(tmp_path):
        pass
    room.f_bavail = 2 * SIZE
    with again.admitted(tmp_path):
        assert (tmp_path / "reserve").stat().st_size == SIZE


def test_writes_under_way_end_before_room_is_released(
    tmp_path: Path, room: SimpleNamespace
) -> None:
    own = kept_at(tmp_path)
    room.f_bavail = 0
    releasing = threading.Thread(target=own.release)
    with own.admitted(tmp_path):
        releasing.start()
        while not own.released:
            os.sched_yield()
        assert (tmp_path / "reserve").stat().st_size == SIZE
        with pytest.raises(StorageFull), own.admitted(tmp_path):
            pass
    releasing.join()
    assert (tmp_path / "reserve").stat().st_size == 0


def test_room_that_is_being_released_is_not_kept_again(
    tmp_path: Path, room: SimpleNamespace
) -> None:
    """Else the file is emptied after it was kept, and taken for full from then on."""
    own = kept_at(tmp_path)
    releasing = threading.Thread(target=own.release)
    with own.admitted(tmp_path):
        releasing.start()
        while not own.released:
            os.sched_yield()
        with pytest.raises(StorageFull), own.admitted(tmp_path):
            pass
    releasing.join()
    assert own.released and (tmp_path / "reserve").stat().st_size == 0
    with own.admitted(tmp_path):  # now it is
        assert not own.released and (tmp_path / "reserve").stat().st_size == SIZE


def test_room_is_not_released_while_a_log_is_moved(
    tmp_path: Path, room: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database grows by what a transaction wrote, which would take what was released."""
    with Database.open(tmp_path) as database:
        database.create("c", config_of(4))
    own, seen = kept_at(tmp_path), []
    monkeypatch.setattr(store, "_GROWTH", -1)
    monkeypatch.setattr(Checkpoints, "move", lambda _: seen.append(own._inside))
    folder = tmp_path / "collections" / "c"
    with closing(Collection.open("c", folder, threads=1, changed=lambda: None, reserve=own)) as one:
        seen.clear()
        one.upsert(batch_of([1, 2], np.ones((2, 4), dtype=np.float32))).result()
        one.delete([1]).result()
    assert seen == [1, 0]  # what frees room needs no admission


def test_a_folder_under_way_is_given_up(
    tmp_path: Path, room: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = kept_at(tmp_path)
    arrays = {name: np.zeros(10) for name in "ab"}
    asked = []

    def admitted() -> object:
        asked.append(0)
        if len(asked) == 3:
            room.f_bavail = 0
            own.release()
        return own.admitted(tmp_path)

    with pytest.raises(StorageFull):
        write_folder(Local(tmp_path / "new"), arrays, {}, admitted)  # type: ignore[arg-type]
    assert len(asked) == 3
    assert os.listdir(tmp_path) == ["reserve"]


def test_no_room_no_right_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "_TIMES", 1 << 40)
    own = Reserve(tmp_path / "reserve")
    own.refill(at_once=True)
    assert not (tmp_path / "reserve").exists() and not own.released
    Reserve(tmp_path / "none" / "reserve").refill(at_once=True)


def test_background_work_leaves_released_room_alone(tmp_path: Path, room: SimpleNamespace) -> None:
    """Seals wait; segments without a living row are still given back."""
    with Database.open(tmp_path) as database:
        database.create("c", config_of(4))
    own = kept_at(tmp_path)
    folder = tmp_path / "collections" / "c"
    vectors = np.ones((100, 4), dtype=np.float32)
    with closing(Collection.open("c", folder, threads=1, changed=lambda: None, reserve=own)) as one:
        one.upsert(batch_of(range(100), vectors)).result()
        one.upkeep.seal()
        one.upsert(batch_of(range(100, 200), vectors)).result()
        room.f_bavail = 0
        own.release()
        before = os.listdir(folder / "segments")
        one.upkeep.seal()
        assert "deletes are carried out" in str(one.upkeep.last_error)
        assert os.listdir(folder / "segments") == before and len(before) == 1
        with pytest.raises(StorageFull, match="deletes are carried out"):
            one.upsert(batch_of([1], vectors[:1])).result()
        one.delete([*range(100)]).result()
        one.upkeep.compact()
        until = time.monotonic() + 60
        while os.listdir(folder / "segments"):  # errors and threads on their way out may hold it
            assert time.monotonic() < until
            gc.collect()
            one.writer.leases.sweep()
            time.sleep(0.05)
        assert one.count() == 100
        room.f_bavail = 1 << 40
        one.upkeep.seal()
        assert one.upkeep.last_error is None and len(os.listdir(folder / "segments")) == 1


def test_a_directory_with_released_room_takes_no_collection(
    tmp_path: Path, room: SimpleNamespace
) -> None:
    with Database.open(tmp_path) as database:
        database.create("c", config_of(4))
        database.change_aliases([CreateAlias("one", "c")])
        assert not (tmp_path / "reserve").exists()
    with Database.open(tmp_path) as database:
        assert (tmp_path / "reserve").stat().st_size == SIZE
        room.f_bavail = 0
        database._reserve.release()
        with pytest.raises(StorageFull, match="deletes are carried out"):
            database.create("d", config_of(4))
        with pytest.raises(StorageFull, match="deletes are carried out"):
            database.change_aliases([CreateAlias("other", "c")])
        database.change_aliases([DeleteAlias("one")])
        assert dict(database.aliases()) == {}
        assert "deletes are carried out" in str(database.try_disk())
        assert database.drop("c")
