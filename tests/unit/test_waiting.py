"""Reads that meet writes being applied: they wait for the view, for a while, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    Filter,
    HasId,
    NamedVectors,
    NotYetApplied,
    PointBatch,
    SearchRequest,
    Stop,
    Stopped,
    VectorConfig,
    stopping,
)
from palimpsest.index import waiting as module
from palimpsest.index.read.points import PointReader
from palimpsest.index.waiting import Applied, StoreAhead, consistent, deadline

STORE = Path("store")
ROWS = np.eye(4, dtype=np.float32)


def test_a_read_goes_on_as_soon_as_the_view_has_its_write() -> None:
    applied, reads = Applied(STORE), []

    def read() -> int:
        reads.append(applied)
        if len(reads) == 1:
            threading.Timer(0.05, applied.reach, [7]).start()
            raise StoreAhead(lambda until: applied.wait_for(7, until))
        return 7

    assert consistent(read, lambda _: pytest.fail("it was whole")) == 7
    assert len(reads) == 2


def test_nobody_waits_for_a_write_that_is_given_up() -> None:
    applied = Applied(STORE)
    applied.reach(3)
    threading.Timer(0.05, applied.give_up, ["restart the server"]).start()
    with pytest.raises(NotYetApplied, match="restart the server"):
        applied.wait_for(4, time.monotonic() + 3600)
    applied.wait_for(3, time.monotonic() + 3600)


def test_a_read_ends_in_an_error_when_its_write_is_never_applied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.02)
    applied = Applied(STORE)

    def read() -> int:
        raise StoreAhead(lambda until: applied.wait_for(1, until))

    with pytest.raises(NotYetApplied, match=r"not applied within 0\.02 s: try again"):
        consistent(read, lambda _: None)


def test_a_read_whose_points_are_written_over_and_over_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.02)
    applied = Applied(STORE)
    applied.reach(1)

    def read() -> int:
        raise StoreAhead(lambda until: applied.wait_for(1, until))

    with pytest.raises(NotYetApplied):
        consistent(read, lambda _: None)


def test_an_answer_that_stays_partial_is_given_after_some_tries() -> None:
    waited: list[float] = []
    answers = iter(range(10))
    assert consistent(lambda: next(answers), waited.append, lambda _: False) == 3
    assert len(waited) == 3


def test_to_read_for_long_is_not_to_wait_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    applied, reads = Applied(STORE), 0
    applied.reach(1)

    def read() -> int:
        nonlocal reads
        reads += 1
        time.sleep(0.06)
        if reads == 1:
            raise StoreAhead(lambda until: applied.wait_for(1, until))
        return reads

    found = consistent(read, lambda until: applied.wait_for(1, until), lambda found: found == 4)
    assert found == 4


def test_nobody_waits_for_a_view_when_nobody_waits_for_the_answer() -> None:
    stop = Stop()
    stop.set()
    with stopping(stop), pytest.raises(Stopped):
        Applied(STORE).wait_for(1, deadline())


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Four points."""
    with Database.open(tmp_path, threads=1) as database:
        made = database.create("c", CollectionConfig({"": VectorConfig(4, Distance.DOT)}))
        write(made)
        yield made


def write(collection: Collection) -> int:
    named = {"": NamedVectors(np.arange(4), ROWS)}
    return collection.upsert(PointBatch(range(4), named, [b"{}"] * 4)).result()


READS: dict[str, Callable[[Collection], object]] = {
    "search": lambda c: c.search(SearchRequest(ROWS[0], with_payload=True, with_vectors=True)).ids,
    "search by id": lambda c: c.search(SearchRequest(2)).ids,
    "batch": lambda c: [one.ids for one in c.search_batch([SearchRequest(2, with_payload=True)])],
    "retrieve": lambda c: [one.id for one in c.retrieve([0, 1], with_vectors=True)],
    "scroll": lambda c: [one.id for one in c.scroll(None, 3, with_vectors=True)[0]],
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_reads_ahead_of_the_view_wait_or_hand_over(
    collection: Collection, read: Callable[[Collection], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read(collection)
    assert read(collection.at_once) == expected
    writer, held, let_go = collection.writer, threading.Event(), threading.Event()
    show = writer._show

    def late(view: object) -> None:
        held.set()
        let_go.wait(10)
        show(view)  # type: ignore[arg-type]

    monkeypatch.setattr(writer, "_show", late)
    upsert = threading.Thread(target=write, args=[collection])
    upsert.start()
    assert held.wait(10)
    with pytest.raises(NotYetApplied, match="is being applied"):
        read(collection.at_once)
    threading.Timer(0.05, let_go.set).start()
    started = time.monotonic()
    assert read(collection) == expected
    assert time.monotonic() - started > 0.01
    upsert.join()


def test_a_page_that_takes_long_to_read_is_given(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered = PointReader.numbered

    def slowly(reader: PointReader, *given: Any, **how: Any) -> Any:
        collection.delete([1]).result()  # after the ids were read
        time.sleep(0.06)
        return numbered(reader, *given, **how)

    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(PointReader, "numbered", slowly)
    page, following = collection.scroll(None, 4, Filter(must=(HasId(frozenset({0, 1, 2})),)))
    assert ([one.id for one in page], following) == ([0, 2], None)
