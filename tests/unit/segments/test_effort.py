"""Efforts of segments: what they make of a plan, and that searches follow them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from palimpsest.index import SearchRequest
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.plan import resolve
from palimpsest.index.segments.effort import Effort
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Distance
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of


def test_an_effort_multiplies_what_a_plan_says() -> None:
    plan = resolve(SearchRequest(np.zeros(8, np.float32)), VectorConfig(8, Distance.COSINE))
    assert plan.at(Effort(), 131_072) is plan
    harder = plan.at(Effort(ef=2.0, rescoring=3.0), 1_000)
    assert (harder.ef, harder.rescored, harder.exact) == (2 * plan.ef, 3 * plan.rescored, False)
    assert plan.at(Effort(scan=True), 1_000).exact
    assert plan.at(Effort(rescoring=100.0), 1_000).ef == 100 * plan.rescored


def test_a_large_segment_is_walked_more_widely_unless_a_caller_says_how() -> None:
    query, space = np.zeros(8, np.float32), VectorConfig(8, Distance.COSINE)
    plan = resolve(SearchRequest(query), space)
    widths = [plan.at(Effort(), rows).ef for rows in (1_000, 131_072, 600_000, 10**7)]
    assert widths[0] == widths[1] == plan.ef
    assert widths[2] >= 1.5 * plan.ef
    assert widths[3] >= 3 * plan.ef
    assert plan.at(Effort(2), 600_000).ef >= 2 * widths[2] - 1
    own = resolve(SearchRequest(query, ef=64), space)
    assert own.at(Effort(), 10**7) is own


def test_an_effort_outlives_its_description() -> None:
    effort = Effort(ef=4.0, rescoring=2.0, scan=True)
    assert Effort.from_json(effort.to_json()) == effort
    assert Effort.from_json(None) == Effort()


def test_a_segment_is_searched_by_its_effort(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    collection = collection_of(config_of(16))
    rows = rng.standard_normal((12_000, 16)).astype(np.float32)
    collection.upsert(batch_of(list(range(12_000)), rows)).result()
    collection.upkeep.seal()
    view = collection.view.vectors[0]
    [part] = view.sealed
    assert isinstance(part.segment, Sealed)
    plan = resolve(SearchRequest(rows[0]), collection.config.vectors[""])
    counts = []
    for effort in (Effort(), Effort(ef=4.0), Effort(scan=True)):
        segment = replace(part.segment, effort=effort)
        query = rows[0] / np.linalg.norm(rows[0])
        _, stats = search_parts(
            replace(view, sealed=(replace(part, segment=segment),)), query, plan
        )
        counts.append((stats.visited, stats.scored))
    (planned, few), (wider, more), (none, every) = counts
    assert planned and few < more
    assert (wider, more) == (0, 12_000)  # the codes of so few rows are scanned as quickly
    assert (none, every) == (0, 12_000)
