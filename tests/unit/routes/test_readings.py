"""One request reads one state of each collection, whatever it is called by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.access.rights import EVERYTHING, Access, Level
from palimpsest.app.context import Context
from palimpsest.app.errors import Refusal
from palimpsest.app.routes.readings import Readings, consistent
from palimpsest.app.settings import Settings
from palimpsest.index import (
    Collection,
    CollectionConfig,
    CreateAlias,
    Reading,
    VectorConfig,
)
from tests.points import batch_of

CONFIG = CollectionConfig({"": VectorConfig(2, "dot")})


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    opened = Context(Settings(data=tmp_path, threads=1))
    opened.open()
    for name in ("docs", "other"):
        opened.database.create(name, CONFIG)
    opened.database.change_aliases([CreateAlias("écrits", "docs")])
    yield opened
    opened.close()


def points_in(reading: Reading) -> int:
    return reading.view.points


def write(collection: Collection, point: int) -> None:
    collection.upsert(batch_of([point], np.zeros((1, 2), np.float32))).result()


def test_one_state_under_every_name(context: Context) -> None:
    docs, other = context.database.get("docs"), context.database.get("other")
    readings = Readings(context, EVERYTHING, docs)
    assert readings("docs") is readings("écrits") is readings.own
    taken = readings("other")
    write(docs, 1)
    write(other, 1)
    assert readings("other") is taken
    assert (points_in(readings("docs")), points_in(taken)) == (0, 0)
    assert points_in(Readings(context, EVERYTHING, docs)("docs")) == 1


def test_rights_are_asked_for_by_every_name(context: Context) -> None:
    reader = Access("r", "token", Level.NONE, {"docs": Level.READ})
    readings = Readings(context, reader, context.database.get("docs"))
    readings("écrits")
    with pytest.raises(Refusal):
        readings("other")


def test_what_was_not_whole_is_read_again_from_newer_states(context: Context) -> None:
    docs = context.database.get("docs")
    seen: list[int] = []

    def read(readings: Readings) -> int:
        seen.append(points_in(readings.own))
        if len(seen) == 1:
            write(docs, 7)
        return seen[-1]

    _, found = consistent(context, EVERYTHING, docs, read, lambda count: count == 1)
    assert (found, seen) == (1, [0, 1])
