"""The process ends at every single write while payload indexes of an earlier release are rebuilt.

Whatever is left opens, answers from the payloads at once, and has its indexes in the end.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from palimpsest.index import Collection, CollectionConfig, FieldIndex, Filter, PointBatch
from palimpsest.index.filters.expression import Match, Range
from palimpsest.index.payload import indexes
from tests.conftest import open_collection
from tests.crash.boundaries import run_child
from tests.fields import wait_until_built

POINTS, STEPS = 40, 2
INDEXES = {"цвет": "keyword", "n": "integer"}


def batch_of(ids: list[int], colour: str) -> PointBatch:
    payloads = [json.dumps({"цвет": colour, "n": 2**60 + one}).encode() for one in ids]
    return PointBatch(ids, {}, payloads)


def rebuild(collection: Collection, answered: Callable[[int], None]) -> None:
    collection.upsert(batch_of([0, 1, 2], "синий")).result()
    answered(1)
    wait_until_built()
    collection.delete([3]).result()
    answered(2)
    collection.fields.save()


def check(folder: Path, answered: int) -> None:
    for _ in range(2):
        collection = open_collection(folder / "c")
        try:
            for _ in range(2):  # from the payloads, perhaps, and from the indexes
                check_answers(collection, answered)
                wait_until_built()
            assert collection.writer.indexes.fields.keys() == INDEXES.keys()
            named = {entry.folder for entry in collection.writer.store.fields.entries()}
            assert {each.name for each in (folder / "c" / "fields").iterdir()} == named
        finally:
            collection.close()


def check_answers(collection: Collection, answered: int) -> None:
    points = collection.count()
    assert points in (POINTS - (answered == 2), POINTS - (answered >= 1))
    blue = collection.count(Filter(must=(Match(("цвет",), ("синий",)),)))
    assert blue == 3 or (blue == 0 and answered == 0)
    assert collection.count(Filter(must=(Match(("цвет",), ("красный",)),))) == points - blue
    assert collection.count(Filter(must=(Range(("n",), gte=2**60, lt=2**60 + 4),))) == (
        4 - (POINTS - points)
    )


def make_old(template: Path) -> None:
    """Make a collection whose indexes are marked as those of an earlier release."""
    indexes.ARRAYS_FORMAT = 1
    collection = open_collection(template / "c", CollectionConfig({}))
    collection.upsert(batch_of(list(range(POINTS)), "красный")).result()
    for key, kind in INDEXES.items():
        collection.create_index(key, FieldIndex.from_declared(kind)).result()
    wait_until_built()
    collection.close()


def run_whole(template: Path, folder: Path) -> int:
    """Rebuild to the end; return the number of boundaries in it."""
    lines = run_child(rebuild, template, folder, None)
    boundaries = int(lines.pop().split()[1])
    assert len(lines) == STEPS
    check(folder, STEPS)
    return boundaries


def stop_at(folders: tuple[Path, Path], last: int) -> None:
    """Rebuild up to a boundary, and check what it left."""
    template, folder = folders
    run = folder / f"run{last}"
    lines = run_child(rebuild, template, run, last)
    check(run, int(lines[-1]) if lines else 0)
    shutil.rmtree(run)


def test_a_rebuild_may_end_at_any_boundary(folder: Path) -> None:
    template = folder / "template"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        pool.submit(make_old, template).result()
    with ProcessPoolExecutor(2, context) as pool:
        boundaries = pool.submit(run_whole, template, folder / "whole").result()
        assert boundaries > 60
        list(pool.map(stop_at, repeat((template, folder)), range(1, boundaries + 1)))
