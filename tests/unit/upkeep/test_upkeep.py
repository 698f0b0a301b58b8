from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.app.health.conditions import status_of, told_of
from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    SearchRequest,
)
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import Damaged, StorageFull
from palimpsest.index.segments import graph, seal
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.sealed import spare
from palimpsest.index.types import Vectors
from palimpsest.index.upkeep.attempts import WHOLE
from palimpsest.index.upkeep.backlog import LEAST_ROWS
from palimpsest.index.upkeep.pacing import Refused, SealRate, Wait
from palimpsest.index.upkeep.replacing import Replacing
from palimpsest.index.write.changes import Changes, NewRows, apply
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of

SIZE = 8


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, SIZE), dtype=np.float32)


def settings(**maintenance: float) -> CollectionConfig:
    return CollectionConfig(
        {"": VectorConfig(SIZE, Distance.EUCLID)},
        MaintenanceConfig(**{"quiet_rows": 1, "quiet_seconds": 0, **maintenance}),  # type: ignore[arg-type]
    )


def insert(collection: Collection, start: int, n: int) -> None:
    collection.upsert(batch_of(list(range(start, start + n)), rows(n, start))).result()


def segments(collection: Collection) -> list[int]:
    return [part.live for part in collection.view.vectors[0].sealed]


def folders(collection: Collection) -> int:
    return len(os.listdir(collection.folder / "segments"))


def growing(collection: Collection) -> list[int]:
    return [part.n for part in collection.view.vectors[0].growing]


def test_rows_that_came_after_what_was_due_are_left_growing(collection_of: OpenCollection) -> None:
    collection = collection_of(settings())
    insert(collection, 0, 50)
    due = collection.view.vectors[0].growing[0]
    collection.upkeep.seal()  # as another thread may, between the look and the seal
    insert(collection, 50, 20)
    collection.upkeep._seal(0, due)
    assert segments(collection) == [50] and growing(collection) == [20]


def test_a_part_that_is_full_grows_no_further_and_each_is_sealed_by_itself(
    collection_of: OpenCollection,
) -> None:
    collection = collection_of(settings(seal_rows=100, quiet_rows=50))
    for start in range(0, 360, 60):
        insert(collection, start, 60)
    assert growing(collection) == [120, 120, 120]
    assert collection.pacing.backlog().rows == 360
    for sealed in ([120], [120, 120]):
        assert collection.upkeep.due.seal_delay() == 0
        collection.upkeep.seal()
        assert segments(collection) == sealed
        found = collection.search(SearchRequest(rows(1)[0], k=1_000, exact=True)).ids
        assert sorted(found) == list(range(360))
    assert growing(collection) == [120]
    insert(collection, 0, 10)  # over rows of a segment
    assert growing(collection) == [120, 10]
    reopened = reopen(collection)
    assert (segments(reopened), growing(reopened)) == ([110, 120], [120, 10])
    reopened.upkeep.seal()
    assert growing(reopened) == [10]
    assert reopened.pacing.backlog().rows == 10
    assert reopened.count() == 360
    reopened.close()


def test_a_part_that_is_nearly_full_takes_no_rows_beyond(collection_of: OpenCollection) -> None:
    collection = collection_of(settings(seal_rows=100, quiet_rows=50))
    for start, n in ((0, 89), (89, 5), (94, 6), (100, 95), (195, 20)):
        insert(collection, start, n)
    assert growing(collection) == [100, 95, 20]


def test_rows_applied_again_are_left_out_whichever_part_they_are_in(
    collection_of: OpenCollection,
) -> None:
    collection = collection_of(settings(seal_rows=100))
    for start in range(0, 240, 60):
        insert(collection, start, 60)
    view, part = collection.view, collection.view.vectors[0].growing[0]
    assert isinstance(part, Growing)
    whole = part.columns
    for first, last in ((0, 60), (30, 120)):
        again = NewRows(
            0,
            whole.slots[first:last],
            1,
            whole.ids[first:last],
            whole.numbers[first:last],
            whole.vectors[first:last],
        )
        applied = apply(view, Changes(view.seq, rows=[again]))
        assert [one.n for one in applied.vectors[0].growing if one.n] == [120, 120]


def test_builders_get_more_of_the_cores_the_more_waits(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings(seal_rows=1_024))
    upkeep, asked = collection.upkeep, list[int]()
    upkeep._threads = 8
    build = graph.build

    def look(*arguments: Any, **options: Any) -> Any:
        asked.append(options["firm"]())
        return build(*arguments, **options)

    monkeypatch.setattr(seal, "build", look)
    monkeypatch.setattr(SealRate, "lateness", 0.0)  # whatever else takes the cores
    for start in range(0, 1_800, 300):
        insert(collection, start, 300)
    collection.upkeep.seal()
    for start in range(0, 300, 300):
        insert(collection, 2_000 + start, 300)
    collection.upkeep.seal()
    assert asked == [8]  # the second has too few rows for a graph
    insert(collection, 4_000, 1_030)
    collection.upkeep.seal()
    assert asked == [8, 1]


def test_full_segments_are_merged_once_no_rows_come(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings(seal_rows=100))
    for start in range(0, 400, 100):
        insert(collection, start, 100)
        collection.upkeep.seal()
    assert segments(collection) == [100] * 4
    assert collection.upkeep.due.compact_delay() is None
    assert status_of(collection.state()) == "green"
    delay = collection.upkeep.due.merge_delay()
    assert delay is not None and 0 < delay <= 30
    monkeypatch.setattr("palimpsest.index.upkeep.due._MERGE_SECONDS", 0)
    assert collection.upkeep.due.merge_delay() == 0
    insert(collection, 400, 100)
    insert(collection, 500, 1)
    assert collection.upkeep.due.merge_delay() is None  # rows come
    collection.upkeep.seal()
    collection.upkeep.seal()
    for merged in ([1, 100, 100, 100, 200], [1, 100, 200, 200]):
        assert collection.upkeep.due.merge_delay() == 0
        collection.upkeep.merge()
        assert sorted(segments(collection)) == merged
    assert (collection.upkeep.due.merge_delay(), folders(collection)) == (None, 4)
    assert collection.count() == 501


def test_a_merge_leaves_its_thread_to_work_that_is_due(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings(seal_rows=100))
    for start in range(0, 200, 100):
        insert(collection, start, 100)
        collection.upkeep.seal()
    with monkeypatch.context() as patched:
        patched.setattr("palimpsest.index.upkeep.due._MERGE_SECONDS", 0)
        assert collection.upkeep.due.merge_delay() == 0
        collection.upkeep.merge(lambda: True)
    assert (segments(collection), folders(collection)) == ([100, 100], 2)
    delay = collection.upkeep.due.merge_delay()
    assert delay is not None and delay > 1  # and not at once
    assert (collection.upkeep.last_error, collection.upkeep.put_off) == (None, None)
    collection.upkeep.merge()
    assert segments(collection) == [200]


def test_writes_are_told_when_it_is_compaction_that_fails(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings(seal_rows=1_000, tier_factor=4))
    for start in range(0, 60, 10):
        insert(collection, start, 10)
        collection.upkeep.seal()

    def fail(*_: object) -> None:
        raise OSError("a segment cannot be read")

    with monkeypatch.context() as patched:
        patched.setattr(Replacing, "_write", fail)
        collection.upkeep.compact()
    assert collection.pacing.backlog().stalled is None  # there is room for more
    monkeypatch.setattr("palimpsest.index.upkeep.upkeep._EXCESS", 2)
    assert isinstance(refused := collection.pacing.ask(1, 2), Refused)
    assert "cannot be read" in (refused.backlog.stalled or "")
    assert collection.pacing.refused == {"backlog": 0, "stalled": 1}
    collection.upkeep.compact()
    assert collection.pacing.backlog().stalled is None
    assert isinstance(collection.pacing.ask(1, 2), Wait)


def test_so_few_rows_as_are_scanned_at_once_hold_no_write_up(
    collection_of: OpenCollection,
) -> None:
    collection = collection_of(settings(seal_rows=100))
    insert(collection, 0, 900)
    assert collection.pacing.backlog().limit == 2 * LEAST_ROWS
    assert collection.pacing.ask(1_000, 0) == Wait(0.0)


def test_a_merge_that_fails_is_told_and_tried_later(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings(seal_rows=100))
    for start in range(0, 200, 100):
        insert(collection, start, 100)
        collection.upkeep.seal()

    def fail(*_: object) -> None:
        raise StorageFull("No space left")

    with monkeypatch.context() as patched:
        patched.setattr(Replacing, "_write", fail)
        collection.upkeep.merge()
    assert "No space left" in (collection.upkeep.last_error or "")
    monkeypatch.setattr("palimpsest.index.upkeep.due._MERGE_SECONDS", 0)
    delay = collection.upkeep.due.merge_delay()
    assert delay is not None and delay > 1
    collection.upkeep.merge()
    assert (segments(collection), collection.upkeep.last_error) == ([200], None)


def test_many_small_segments_are_compacted_at_once_and_before_dead_rows(
    collection_of: OpenCollection,
) -> None:
    collection = collection_of(settings(seal_rows=1_000, tier_factor=4))
    for start in range(0, 200, 10):
        insert(collection, start, 10)
        collection.upkeep.seal()
    assert collection.pacing.backlog().segments == 16
    collection.delete([0, 1, 2, 3]).result()
    collection.upkeep.compact()
    assert segments(collection) == [6, 190]  # the one with dead rows is in another tier by now
    assert collection.pacing.backlog().segments == 0


def test_more_full_segments_than_are_left_are_compacted_while_rows_come(
    collection_of: OpenCollection,
) -> None:
    collection = collection_of(settings(seal_rows=64, tier_factor=4))
    for start in range(0, 12 * 64, 64):
        assert collection.upkeep.due.compact_delay() is None
        insert(collection, start, 64)
        collection.upkeep.seal()
    assert collection.upkeep.due.compact_delay() == 0
    collection.upkeep.compact()  # within a budget: the rows of four of them
    assert sorted(segments(collection)) == [64] * 8 + [256]


def test_work_that_brings_rows_by_itself_rests_while_many_wait(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings(seal_rows=1_000))
    insert(collection, 0, 1_000)
    monkeypatch.setattr("palimpsest.index.upkeep.upkeep._LONGEST_REST", 600)
    collection.upkeep.rest()
    insert(collection, 1_000, 1_000)
    resting = threading.Thread(target=collection.upkeep.rest)
    resting.start()
    assert resting.is_alive()
    collection.upkeep.seal()
    resting.join(60)
    assert not resting.is_alive()


def test_a_seal_is_due_when_full_or_quiet(collection_of: OpenCollection) -> None:
    busy = collection_of(settings(seal_rows=100, quiet_rows=50, quiet_seconds=1_000))
    insert(busy, 0, 49)
    assert busy.upkeep.due.seal_delay() is None
    assert busy.state().pending == 0
    insert(busy, 49, 1)
    delay = busy.upkeep.due.seal_delay()
    assert delay is not None and 900 < delay < 1_001  # a difference of two clock readings
    assert busy.state().pending == 50
    insert(busy, 50, 50)
    assert busy.upkeep.due.seal_delay() == 0
    busy.upkeep.seal()
    assert (segments(busy), busy.upkeep.due.seal_delay(), busy.state().pending) == ([100], None, 0)


def test_rows_that_die_during_a_seal_are_dead_in_the_segment(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings())
    insert(collection, 0, 2_000)
    collection.delete([1, 2]).result()
    build = graph.build

    def delete_meanwhile(*arguments: object, **options: object) -> object:
        collection.delete(list(range(10, 20))).result()
        insert(collection, 15, 1)
        return build(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(seal, "build", delete_meanwhile)
    collection.upkeep.seal()
    (part,) = collection.view.vectors[0].sealed
    assert (part.n, part.live, collection.view.vectors[0].live) == (1_998, 1_988, 1_989)
    reopened = reopen(collection)
    (part,) = reopened.view.vectors[0].sealed
    assert (part.n, part.live, reopened.count()) == (1_998, 1_988, 1_989)
    everything = reopened.search(SearchRequest(rows(1)[0], k=5_000, exact=True))
    assert sorted(everything.ids) == sorted({*range(2_000)} - {1, 2, *range(10, 20)} | {15})
    reopened.close()


def reopen(collection: Collection) -> Collection:
    collection.close()
    return open_collection(collection.folder)


def test_rows_that_die_during_a_compaction_are_dead_after_it(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings(tier_factor=2))
    for start in (0, 1_000):
        insert(collection, start, 1_000)
        collection.upkeep.seal()
    build = graph.build

    def delete_meanwhile(*arguments: object, **options: object) -> object:
        collection.delete(list(range(990, 1_010))).result()
        return build(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(seal, "build", delete_meanwhile)
    collection.upkeep.compact()
    assert segments(collection) == [1_980]
    assert folders(collection) == 1
    reopened = reopen(collection)
    assert segments(reopened) == [1_980]
    reopened.close()


def test_tiers_are_compacted_and_dead_rows_dropped(collection_of: OpenCollection) -> None:
    collection = collection_of(settings(tier_factor=3, dead_ratio=0.25))
    for start in range(0, 300, 100):
        assert collection.upkeep.due.compact_delay() is None
        insert(collection, start, 100)
        collection.upkeep.seal()
    assert segments(collection) == [100, 100, 100]
    assert collection.state().pending == 300
    collection.upkeep.compact()
    assert segments(collection) == [300]
    collection.delete(list(range(75))).result()
    assert collection.upkeep.due.compact_delay() is None
    collection.delete([75]).result()
    assert collection.upkeep.due.compact_delay() == 0
    collection.upkeep.compact()
    (part,) = collection.view.vectors[0].sealed
    assert (part.n, part.dead.count, folders(collection)) == (224, 0, 1)
    assert collection.writer.store.dead.slots().size == 0


def test_what_is_wholly_dead_leaves_no_segment(collection_of: OpenCollection) -> None:
    collection = collection_of(settings())
    insert(collection, 0, 10)
    collection.delete(list(range(10))).result()
    collection.upkeep.seal()
    assert (segments(collection), folders(collection)) == ([], 0)
    insert(collection, 0, 10)
    collection.upkeep.seal()
    collection.delete(list(range(10))).result()
    collection.upkeep.compact()
    assert (segments(collection), folders(collection)) == ([], 0)
    assert collection.writer.store.dead.slots().size == 0
    reopened = reopen(collection)
    assert reopened.count() == 0
    reopened.close()


def test_seals_may_overlap(collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is asked for by hand while the background is at another."""
    collection = collection_of(settings())
    insert(collection, 0, 10)
    upkeep, seal = collection.upkeep, collection.upkeep._seal

    def seal_twice(*arguments: Any, **others: Any) -> None:
        monkeypatch.undo()
        upkeep.seal()
        seal(*arguments, **others)

    monkeypatch.setattr(upkeep, "_seal", seal_twice)
    upkeep.seal()
    assert collection.state().last_error is None
    assert (upkeep.running(), segments(collection)) == ([], [10])


def test_staged_rows_are_purged(collection_of: OpenCollection) -> None:
    collection = collection_of(settings())
    for start in range(150):
        insert(collection, start, 1)
    collection.upkeep.seal()
    assert list(collection.writer.store.staged.rows()) == []
    connection = collection.writer.store._connection
    assert connection.execute("SELECT count(*) FROM staged").fetchone() == (0,)


def test_a_full_disk_stops_writes_and_seals_but_no_reads(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings())
    insert(collection, 0, 500)
    connection = collection.writer.store._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]

    def set_limit(pages: int) -> None:
        collection.writer.call(
            lambda: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        ).result()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    set_limit(pages)
    with pytest.raises(StorageFull):
        collection.upsert(batch_of(list(range(5_000)), rows(5_000))).result()
    assert collection.count() == 500
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        collection.upkeep.seal()
    assert "No space left" in (collection.upkeep.last_error or "")
    assert collection.pacing.backlog().rows == 0  # the disk tells how many may come
    assert (segments(collection), folders(collection)) == ([], 0)
    delay = collection.upkeep.due.seal_delay()
    assert delay is not None and delay > 1
    assert len(collection.search(SearchRequest(rows(1)[0], k=1_000)).ids) == 500
    assert len(collection.retrieve(list(range(500)), with_vectors=True)) == 500
    set_limit(1_000_000)
    insert(collection, 500, 500)
    for part in (1, 2):  # first the part that could not be sealed, then what has come since
        collection.upkeep.seal()
        assert collection.upkeep.last_error is None
        assert segments(collection) == [500] * part
    reopened = reopen(collection)
    assert reopened.count() == 1_000
    reopened.close()


def test_a_stopped_seal_changes_nothing(collection_of: OpenCollection) -> None:
    collection = collection_of(settings())
    insert(collection, 0, 2_000)
    collection.upkeep.stop()
    collection.upkeep.seal()
    assert (segments(collection), folders(collection)) == ([], 0)
    assert len(collection.search(SearchRequest(rows(1)[0], k=5_000)).ids) == 2_000
    reopened = reopen(collection)
    reopened.upkeep.seal()
    assert segments(reopened) == [2_000]
    reopened.close()


@pytest.mark.parametrize("encoding", ["4", "float32"])
def test_every_damaged_segment_file_is_found_and_named(
    collection_of: OpenCollection, tmp_path: Path, encoding: str
) -> None:
    collection = collection_of(config_of(SIZE, encoding=encoding))
    insert(collection, 0, 1_500)
    collection.upkeep.seal()
    collection.close()
    (folder,) = (collection.folder / "segments").iterdir()
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    names = sorted(os.listdir(folder))
    assert {"segment.json", "slots.npy", "ids.npy", "kept.npy", "graph_links.npy"} <= set(names)
    for name in names:
        text = (whole / name).read_bytes()
        for wrong in _damages(text):
            if wrong is None:
                (folder / name).unlink()
            else:
                (folder / name).write_bytes(wrong)
            if name in spare(names):  # it is done without, and made anew
                without = open_collection(collection.folder)
                (part,) = without.view.vectors[0].sealed
                assert part.segment.lacking == (name,)
                without.close()
            else:
                with pytest.raises(Damaged, match=name):
                    open_collection(collection.folder)
        (folder / name).write_bytes(text)
    open_collection(collection.folder).close()


def _damages(text: bytes) -> list[bytes | None]:
    """Return the file with one byte of each of 24 ranges flipped, cut short, grown, and gone."""
    places = np.linspace(0, len(text) - 1, 24).astype(int).tolist()
    flipped = [text[:i] + bytes([text[i] ^ 1]) + text[i + 1 :] for i in places]
    return [*flipped, b"", text[:-1], text[: len(text) // 3], text + b"\0", None]


@pytest.mark.parametrize("size", [None, SIZE, SIZE + 1])
@pytest.mark.parametrize("kind", ["seal", "compact"])
def test_what_is_made_of_a_name_dropped_meanwhile_is_thrown_away(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch, kind: str, size: int | None
) -> None:
    collection = collection_of(settings(tier_factor=2))
    for start in (0, 100):
        insert(collection, start, 100)
        if kind == "compact" or start == 0:
            collection.upkeep.seal()
    plain = Replacing._write

    def drop_first(self: Replacing, *arguments: Any) -> int | None:
        collection.drop_vector("", dict)
        if size is not None:
            collection.add_vector("", VectorConfig(size, Distance.EUCLID), dict)
        return plain(self, *arguments)

    monkeypatch.setattr(Replacing, "_write", drop_first)
    getattr(collection.upkeep, kind)()
    monkeypatch.undo()
    assert collection.upkeep.last_error is None
    assert folders(collection) == 0
    assert collection.writer.store.segments() == []
    assert all(one.live == 0 for one in collection.view.vectors.values())
    collection.close()
    opened = open_collection(collection.folder)
    assert opened.count() == 200
    opened.close()


def test_the_failures_of_a_dropped_name_are_forgotten(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(settings())
    insert(collection, 0, 10)

    def fail(*_: object) -> None:
        raise StorageFull("No space left")

    monkeypatch.setattr(Replacing, "_write", fail)
    collection.upkeep.seal()
    assert collection.upkeep.last_error is not None
    collection.drop_vector("", dict)
    assert collection.upkeep.last_error is None
    assert collection.state().pending == 0


def test_work_that_finds_no_memory_is_put_off_and_told(collection_of: OpenCollection) -> None:
    collection = collection_of(settings(tier_factor=2))
    asked: list[int] = []

    def has_room(needed: int) -> bool:
        asked.append(needed)
        return room

    collection.upkeep._has_room = has_room
    insert(collection, 0, 1_000)
    room = False
    collection.upkeep.seal()
    assert segments(collection) == []
    state = collection.state()
    assert "put off for want of memory" in (state.put_off or "") and state.last_error is None
    assert status_of(state) == "yellow" and told_of(state) == state.put_off
    assert asked[0] >= 1_000 * SIZE
    room = True
    collection.upkeep.seal()
    assert segments(collection) == [1_000]
    assert collection.state().put_off is None
    insert(collection, 1_000, 1_000)
    collection.upkeep.seal()
    room = False
    collection.upkeep.compact()
    assert len(segments(collection)) == 2
    assert "compacting" in (collection.state().put_off or "")
    assert status_of(collection.state()) == "yellow"
    room = True
    collection.upkeep.compact()
    assert segments(collection) == [2_000]
    assert collection.state().put_off is None


def test_what_fails_is_red_though_other_work_is_put_off(collection_of: OpenCollection) -> None:
    collection = collection_of(settings())
    collection.upkeep.attempts.failed("save", WHOLE, "no")
    collection.upkeep.attempts.delayed("seal", 0, "put off")
    state = collection.state()
    assert (state.last_error, state.put_off) == ("no", "put off")
    assert status_of(state) == "red" and told_of(state) == "no"
    collection.upkeep.attempts.failed("seal", 0, "it failed in the end")
    assert collection.state().put_off is None


def test_what_the_next_seal_takes_grows_with_the_rows(collection_of: OpenCollection) -> None:
    collection = collection_of(settings())
    before = collection.upkeep.due.needed()
    insert(collection, 0, 1_000)
    assert collection.upkeep.due.needed() - before >= 1_000 * SIZE
    collection.upkeep.seal()
    assert collection.upkeep.due.needed() <= before
