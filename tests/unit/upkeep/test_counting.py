"""Rows that no walk meets are counted in the background, once for each graph."""

from __future__ import annotations

import numpy as np

from palimpsest.index.upkeep.counting import Counting
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of


def test_graphs_are_counted_one_by_one_until_none_is_left(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    collection = collection_of(config_of(4))
    rows = rng.standard_normal((3_000, 4)).astype(np.float32)
    own = Counting(collection.writer)
    assert not own.is_due() and collection.state().vectors[""].unreached == 0
    for start in (0, 1_500):
        collection.upsert(batch_of([*range(start, start + 1_500)], rows[start:][:1_500])).result()
        collection.upkeep.seal()
    assert collection.state().vectors[""].indexed == 3_000
    counted = 0
    while own.is_due():
        assert collection.state().vectors[""].unreached is None
        own.count()
        counted += 1
    assert counted == 2
    assert collection.state().vectors[""].unreached == 0
    assert collection.upkeep.due.improve_delay() is None


def test_what_a_broken_graph_does_not_lead_to_is_told(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    collection = collection_of(config_of(4))
    rows = rng.standard_normal((1_500, 4)).astype(np.float32)
    collection.upsert(batch_of([*range(1_500)], rows)).result()
    collection.upkeep.seal()
    (part,) = collection.view.find("").sealed  # type: ignore[union-attr]
    part.segment.searcher._unreached = 7
    assert collection.state().vectors[""].unreached == 7
