"""The process ends at every boundary of a whole upgrade; what is left is one consistent state.

A script declares, fills, fits, activates, rolls back, consolidates, retires and drops versions. At
whatever call it ends, reopening finds the state after the last answered step or after the one that
was being taken (a consolidation may be part done), every point is found by queries of each version
that led to it, no file is left over, and the upgrade goes on to the end it would have had.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    FitRequest,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
    VectorConfig,
    VersionNotFound,
)
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.types import Vectors
from tests.conftest import open_collection
from tests.crash.boundaries import run_child
from tests.points import batch_of

SIZES = {"v1": 4, "v2": 5}
POINTS = 48
MIGRATED = tuple(range(0, POINTS, 2))
MAPPED = "v1-in-v2"


@dataclass(frozen=True)
class State:
    """States and holders by version, and the adapters, as (rows, queries)."""

    states: dict[str, str]
    holders: dict[str, frozenset[int]]
    adapters: frozenset[tuple[str, str]] = field(default_factory=frozenset)


Step: TypeAlias = Callable[[Collection], object]


def rows_of(version: str, n: int = POINTS) -> Vectors:
    """Return rows that are, in either version, maps of the same."""
    latent = np.random.default_rng(1).standard_normal((n, 4), dtype=np.float32)
    plane = np.random.default_rng(SIZES[version]).standard_normal((4, SIZES[version]))
    rows = latent @ plane.astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def space(version: str) -> VectorConfig:
    return VectorConfig(SIZES[version], Distance.COSINE)


def fill(collection: Collection) -> object:
    payloads = [b'{"step":1}'] * POINTS
    return collection.upsert(batch_of(list(range(POINTS)), rows_of("v1"), payloads)).result()


def declare(collection: Collection) -> object:
    return collection.versions.declare("", "v2", space("v2"), model="new", declared={"size": 5})


def migrate(collection: Collection) -> object:
    named = {"@v2": NamedVectors(np.arange(len(MIGRATED)), rows_of("v2")[list(MIGRATED)])}
    batch = PointBatch(MIGRATED, named, [None] * len(MIGRATED))
    return collection.update_vectors(batch).result()


def fitting(rows: str, queries: str) -> Step:
    pairs = Pairs(rows_of(rows, 64), rows_of(queries, 64))
    request = FitRequest(rows, queries, kind="procrustes", pairs=pairs)
    return lambda collection: collection.versions.fit(request)


def activate(version: str) -> Step:
    return lambda collection: collection.versions.activate("", version, force=True)


def consolidate(collection: Collection) -> object:
    return collection.versions.consolidate("", "v1", "v2")


def retire(collection: Collection) -> object:
    return collection.versions.retire("", "v1", force=True)


def drop(collection: Collection) -> object:
    try:
        return collection.versions.drop("", "v1", force=True)
    except VersionNotFound:  # when it is taken a second time
        return None


ALL = frozenset(range(POINTS))
EMPTY = State({"v1": "active"}, {"v1": frozenset()})
FILLED = replace(EMPTY, holders={"v1": ALL})
DECLARED = State({"v1": "active", "v2": "shadow"}, {"v1": ALL, "v2": frozenset()})
HALF = replace(DECLARED, holders={"v1": ALL, "v2": frozenset(MIGRATED)})
FITTED = replace(HALF, adapters=frozenset({("v1", "v2")}))
BOTH = replace(HALF, adapters=frozenset({("v1", "v2"), ("v2", "v1")}))
NEW = replace(BOTH, states={"v1": "serving", "v2": "active"})
BACK = replace(BOTH, states={"v1": "active", "v2": "serving"})
CONSOLIDATED = State(
    {**NEW.states, MAPPED: "serving"},
    {**NEW.holders, MAPPED: ALL - frozenset(MIGRATED)},
    NEW.adapters | {(MAPPED, "v2")},
)
RETIRED = replace(CONSOLIDATED, states={**CONSOLIDATED.states, "v1": "retired"})
DROPPED = State(
    {"v2": "active", MAPPED: "serving"},
    {"v2": frozenset(MIGRATED), MAPPED: ALL - frozenset(MIGRATED)},
    frozenset({(MAPPED, "v2")}),
)

SCRIPT: tuple[tuple[Step, State], ...] = (
    (fill, FILLED),
    (declare, DECLARED),
    (migrate, HALF),
    (fitting("v1", "v2"), FITTED),
    (fitting("v2", "v1"), BOTH),
    (fitting("v1", "v2"), BOTH),  # in place of the first
    (activate("v2"), NEW),
    (activate("v1"), BACK),
    (activate("v2"), NEW),
    (consolidate, CONSOLIDATED),
    (retire, RETIRED),
    (drop, DROPPED),
)
CONSOLIDATING = next(place for place, (step, _) in enumerate(SCRIPT) if step is consolidate)
SEALED_AFTER = (fill, migrate, consolidate)


def run_script(collection: Collection, answered: Callable[[int], None]) -> None:
    for place in range(len(SCRIPT)):
        take(collection, place)
        answered(place + 1)


def take(collection: Collection, place: int) -> None:
    step = SCRIPT[place][0]
    step(collection)
    if step in SEALED_AFTER:
        collection.upkeep.seal()


def state_of(collection: Collection) -> State:
    config = collection.config
    ids = dict(collection.reading().selector.ids(collection.view.live))
    holders = {
        one.version: frozenset(
            int(str(ids[number])) for number in collection.view.vectors[config.column_of(one)].held
        )
        for one in config.versions_of("")
    }
    return State(
        {one.version: one.state for one in collection.versions.states()},
        holders,
        frozenset((one.rows, one.queries) for one in collection.versions.adapters()),
    )


def expected_after(steps: int) -> State:
    return SCRIPT[steps - 1][1] if steps else EMPTY


def possible_after(answered: int) -> Iterator[State]:
    yield expected_after(answered)
    if answered < len(SCRIPT):
        yield expected_after(answered + 1)


def is_part_done(found: State) -> bool:
    """Tell whether a state may be that of a consolidation: what it adds is there in part."""
    begun = found.states == CONSOLIDATED.states and NEW.adapters <= found.adapters
    others = {v: held for v, held in found.holders.items() if v != MAPPED}
    return begun and found.adapters <= CONSOLIDATED.adapters and others == NEW.holders


def check(folder: Path, answered: int) -> None:
    collection = open_collection(folder / "c")
    try:
        found = state_of(collection)
        part = answered == CONSOLIDATING and is_part_done(found)
        assert part or found in possible_after(answered), (answered, found)
        require_whole(collection, found)
        for place in range(answered, len(SCRIPT)):
            take(collection, place)
        assert state_of(collection) == DROPPED
        require_whole(collection, DROPPED)
        listed = {one.folder for one in collection.writer.store.adapters.entries()}
        assert set(os.listdir(folder / "c" / "adapters")) == listed
        sealed = {
            part.segment.name
            for vectors in collection.view.vectors.values()
            for part in vectors.sealed
        }
        assert set(os.listdir(folder / "c" / "segments")) == sealed
    finally:
        collection.close()


def require_whole(collection: Collection, found: State) -> None:
    """Require every point to be found by each version that leads to it."""
    assert collection.count() == len(frozenset().union(*found.holders.values()))
    active = next(version for version, state in found.states.items() if state == "active")
    assert collection.config.dense[""].size == SIZES[active]
    for version in SIZES.keys() & found.states.keys():
        require_vectors(collection, version, found.holders[version])
        bridged = {
            one
            for rows, queries in found.adapters
            if queries == version and found.states[rows] != "retired"
            for one in found.holders[rows]
        }
        held = found.holders[version]
        needed = {
            one
            for other, state in found.states.items()
            if state in ("active", "serving") and other != MAPPED
            for one in found.holders[other]
        }
        if needed <= held | bridged:
            query = rows_of(version)[3]
            answer = collection.search(SearchRequest(query, f"@{version}", k=2 * POINTS))
            assert sorted(map(str, answer.ids)) == sorted(map(str, held | bridged))


def require_vectors(collection: Collection, version: str, holders: frozenset[int]) -> None:
    name = f"@{version}"
    records = collection.retrieve(sorted(holders), with_vectors=(name,))
    vectors = [(record.vectors or {})[name] for record in records]
    assert [record.id for record in records] == sorted(holders)
    if vectors:
        np.testing.assert_allclose(
            np.stack([np.asarray(one) for one in vectors]),
            rows_of(version)[sorted(holders)],
            rtol=1e-6,
        )


def test_an_upgrade_may_end_at_any_boundary(folder: Path) -> None:
    template = folder / "template"
    maintenance = MaintenanceConfig(quiet_rows=1, quiet_seconds=0, tier_factor=2)
    open_collection(template / "c", CollectionConfig({"": space("v1")}, maintenance)).close()
    # Processes of their own, for only a program with a single thread may safely fork.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        boundaries = pool.submit(run_whole, template, folder / "whole").result()
        assert boundaries > 150
        list(pool.map(stop_at, repeat((template, folder)), range(1, boundaries + 1)))


def run_whole(template: Path, folder: Path) -> int:
    """Run the script to its end; return the number of boundaries in it."""
    lines = run_child(run_script, template, folder, None)
    boundaries = int(lines.pop().split()[1])
    assert len(lines) == len(SCRIPT)
    check(folder, len(SCRIPT))
    return boundaries


def stop_at(folders: tuple[Path, Path], last: int) -> None:
    """Run the script to a boundary, and check what it left."""
    template, folder = folders
    run = folder / f"run{last}"
    lines = run_child(run_script, template, run, last)
    try:
        check(run, int(lines[-1]) if lines else 0)
    except AssertionError as error:
        pytest.fail(f"boundary {last}: {error}")
    shutil.rmtree(run)
