"""The process ends at every single write, one after another; nothing that was answered is lost.

A child process writes, seals and compacts by a fixed script and appends a line to a file for every
write that was answered. Its commits and its calls to the operating system are counted; it ends
on the spot before the n-th, for every n, which is also right after the one before. The parent then
opens what is left: every answered point must be there bit for bit, the write that was being made
must be there wholly or not at all, and searches must agree with the points.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    FieldIndex,
    Filter,
    MaintenanceConfig,
    Record,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.filters.expression import Range
from palimpsest.index.types import Vectors
from tests.conftest import open_collection
from tests.crash.boundaries import run_child
from tests.points import batch_of

SIZE = 4
STEPS = 11  # the script's writes
INDEXED_AT, SAVED_AT = 4, 7
Payload: TypeAlias = dict[str, int]


def rows_of(step: int, n: int) -> Vectors:
    rows = np.random.default_rng(step).standard_normal((n, SIZE), dtype=np.float32)
    return rows.astype(np.float32)


def step_ids(step: int) -> list[int]:
    """Overlapping ranges: each step writes some points again that an earlier one wrote."""
    return list(range(step * 5, step * 5 + 12))


def is_deletion(step: int) -> bool:
    return step % 4 == 3


def is_edit(step: int) -> bool:
    return step % 4 == 2


def written_since(step: int) -> Filter:
    return Filter(must=(Range(("step",), gte=step),))


def expected_after(steps: int) -> dict[int, tuple[Payload, bytes]]:
    """Return payload and vector bytes of each point once the first ``steps`` writes are in."""
    points: dict[int, tuple[Payload, bytes]] = {}
    for step in range(steps):
        ids = step_ids(step)
        if is_edit(step):
            for one, (payload, vector) in points.items():
                if payload["step"] >= step - 1:
                    points[one] = (payload | {"edited": step}, vector)
        elif is_deletion(step):
            for one in ids[::2]:
                points.pop(one, None)
        else:
            for one, row in zip(ids, rows_of(step, len(ids)), strict=True):
                points[one] = ({"step": step}, row.tobytes())
    return points


def run_script(collection: Collection, answered: Callable[[int], None]) -> None:
    for step in range(STEPS):
        ids = step_ids(step)
        if step == INDEXED_AT:
            collection.create_index("step", FieldIndex.from_declared("integer")).result()
        if is_edit(step):
            edit = b'{"edited":%d}' % step
            collection.set_payload(written_since(step - 1), edit).result()
        elif is_deletion(step):
            collection.delete(ids[::2]).result()
        else:
            payloads = [b'{"step":%d}' % step] * len(ids)
            collection.upsert(batch_of(ids, rows_of(step, len(ids)), payloads)).result()
        answered(step + 1)
        if step % 3 == 2:
            collection.upkeep.seal()
        while collection.upkeep.due.compact_delay() == 0:
            collection.upkeep.compact()
        if step == SAVED_AT:
            collection.fields.save()


def stored(collection: Collection) -> dict[int, tuple[Payload, bytes]]:
    points: dict[int, tuple[Payload, bytes]] = {}
    start: Any = None
    while True:
        records, start = collection.scroll(start, 100, with_vectors=True)
        points.update(map(as_stored, records))
        if start is None:
            return points


def as_stored(record: Record) -> tuple[int, tuple[Payload, bytes]]:
    assert isinstance(record.id, int) and record.payload is not None and record.vectors is not None
    vector = record.vectors[""]
    assert isinstance(vector, np.ndarray)
    return record.id, (json.loads(record.payload), vector.tobytes())


def check_index(collection: Collection, found: dict[int, tuple[Payload, bytes]]) -> None:
    """Require the index, if it is declared, to be built and to agree with the payloads."""
    for thread in threading.enumerate():
        if thread.name == "fields":
            thread.join()
    declared = {entry.key for entry in collection.writer.store.fields.entries()}
    assert set(collection.writer.indexes.fields) == declared
    for step in range(STEPS):
        newer = sum(payload["step"] >= step for payload, _ in found.values())
        assert collection.count(written_since(step)) == newer


def dead_rows(collection: Collection) -> int:
    vectors = collection.view.vectors[0]
    sealed = sum(part.dead.count for part in vectors.sealed)
    return sealed + sum(part.dead.count for part in vectors.growing)


def check(folder: Path, answered: int) -> None:
    collection = open_collection(folder / "c")
    try:
        found = stored(collection)
        # The write that was being made may be in or not.
        assert found in (expected_after(answered), expected_after(min(answered + 1, STEPS)))
        assert collection.count() == len(found)
        check_index(collection, found)
        assert collection.writer.store.dead.slots().size == dead_rows(collection)
        query = np.zeros(SIZE, dtype=np.float32)
        if found:
            answer = collection.search(SearchRequest(query, k=1_000, exact=True))
            assert sorted(answer.ids) == sorted(found)
        collection.upkeep.seal()
        while collection.upkeep.due.compact_delay() == 0:
            collection.upkeep.compact()
        assert collection.upkeep.last_error is None
        assert stored(collection) == found
        assert collection.writer.store.dead.slots().size == dead_rows(collection)
        listed = {one.segment.name for one in collection.view.vectors[0].sealed}
        assert set(os.listdir(folder / "c" / "segments")) == listed
    finally:
        collection.close()


def test_nothing_answered_is_lost_at_any_boundary(folder: Path) -> None:
    template = folder / "template"
    maintenance = MaintenanceConfig(quiet_rows=1, quiet_seconds=0, tier_factor=2)
    config = CollectionConfig({"": VectorConfig(SIZE, Distance.EUCLID)}, maintenance)
    open_collection(template / "c", config).close()
    # Processes of their own, for only a program with a single thread may safely fork.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        boundaries = pool.submit(run_whole, template, folder / "whole").result()
        assert boundaries > 200
        list(pool.map(stop_at, repeat((template, folder)), range(1, boundaries + 1)))


def run_whole(template: Path, folder: Path) -> int:
    """Run the script to its end; return the number of boundaries in it."""
    lines = run_child(run_script, template, folder, None)
    boundaries = int(lines.pop().split()[1])
    assert len(lines) == STEPS
    check(folder, STEPS)
    return boundaries


def stop_at(folders: tuple[Path, Path], last: int) -> None:
    """Run the script to a boundary, and check what it left."""
    template, folder = folders
    run = folder / f"run{last}"
    lines = run_child(run_script, template, run, last)
    check(run, int(lines[-1]) if lines else 0)
    shutil.rmtree(run)
