"""Groups: those that lack points are filled by a search of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    CollectionConfig,
    Database,
    Distance,
    GroupRequest,
    NamedVectors,
    PointBatch,
    Prefetch,
    VectorConfig,
    answer_groups,
    parse_path,
    queries,
)
from palimpsest.index.query import groups
from palimpsest.index.query.scored import nothing


def test_a_group_that_is_not_found_by_itself_keeps_the_points_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over bridges, where the scores of points depend on what else is found."""
    nearest = queries.Nearest(np.ones(2, dtype=np.float32))
    request = GroupRequest(Prefetch(nearest, limit=2), parse_path("g"), size=3)
    with Database.open(tmp_path, threads=1) as database:
        made = database.create("c", CollectionConfig({"": VectorConfig(2, Distance.DOT)}))
        named = {"": NamedVectors(np.arange(4), np.eye(4, 2, dtype=np.float32))}
        made.upsert(PointBatch(range(4), named, [b'{"g":%d}' % (n % 2) for n in range(4)])).result()
        reading = made.reading()
        found = answer_groups(reading, request, lambda _: reading)
        monkeypatch.setattr(groups._Search, "filled", lambda *_: groups._Members(nothing(), {}))
        again = answer_groups(reading, request, lambda _: reading)
    assert [(key, [hit.id for hit in hits.records]) for key, hits in again] == [
        (key, [hit.id for hit in hits.records]) for key, hits in found
    ]
    assert len(again) == 2
