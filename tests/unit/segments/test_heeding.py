"""What callers ask for by name is kept: an ef, codes alone, an encoding; and what is warned of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palimpsest.app.schemas.collections import CollectionBody
from palimpsest.app.schemas.declarations import to_config
from palimpsest.app.schemas.explanations import warn_of_reach
from palimpsest.app.schemas.version_spaces import VersionBody, to_version
from palimpsest.app.warnings import Warnings
from palimpsest.index import Collection, CollectionConfig, Distance, SearchRequest, VectorConfig
from palimpsest.index.read.cost import estimate_seconds
from palimpsest.index.search.plan import resolve
from palimpsest.index.segments.effort import PLANNED, Effort
from palimpsest.index.types import SearchStats
from tests.conftest import OpenCollection
from tests.points import config_of
from tests.unit.segments.bad import only, sealed, with_random_codes

ROWS = np.random.default_rng(6).standard_normal((6_000, 24)).astype(np.float32)
SPACE = VectorConfig(24, Distance.EUCLID)


@pytest.fixture
def scanned(collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch) -> Collection:
    """A collection whose codes mean nothing, so that its originals are scanned."""
    with_random_codes(monkeypatch, 4)
    collection = collection_of(config_of(24, Distance.EUCLID, fixed_encoding=True))
    assert sealed(collection, ROWS).effort == Effort(scan=True)
    return collection


def stats_of(collection: Collection, **asked: Any) -> SearchStats:
    return collection.search(SearchRequest(ROWS[3], **asked)).stats


def test_an_ef_of_the_callers_own_is_walked_with_whatever_was_decided(scanned: Collection) -> None:
    default, own = stats_of(scanned), stats_of(scanned, ef=20)
    assert (default.visited, default.scored, default.unheeded) == (0, len(ROWS), 0)
    assert own.visited > 0 and own.scored < len(ROWS) and own.unheeded == 1
    assert default.decisions == own.decisions == {"scan": 1}


def test_codes_alone_are_scanned_where_originals_are_not_to_be_read(scanned: Collection) -> None:
    stats = stats_of(scanned, rescore=False)
    assert (stats.visited, stats.scored, stats.rescored) == (0, len(ROWS), 0)


@pytest.mark.parametrize(
    ("ef", "effort", "short"),
    [
        (None, Effort(4), False),
        (300, Effort(4), True),
        (512, Effort(4), False),
        (512, Effort(4, 4), False),
        (100_000, Effort(scan=True), True),
        (1, PLANNED, True),
    ],
)
def test_an_ef_falls_short_of_what_a_segment_needs(
    ef: int | None, effort: Effort, short: bool
) -> None:
    plan = resolve(SearchRequest(ROWS[0], ef=ef), SPACE)
    assert plan.falls_short(effort) is (short and effort != PLANNED)
    assert ef is None or plan.at(effort, len(ROWS)) is plan


def test_a_reply_warns_of_an_ef_that_falls_short(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(24))
    warnings, stats = Warnings(), SearchStats(segments=3, unheeded=2)
    warn_of_reach(warnings, collection, stats)
    [text] = warnings.texts()
    assert "hnsw_ef" in text and "2 of 3 segments" in text
    assert warnings.kinds() == ["recall"]
    nothing = Warnings()
    warn_of_reach(nothing, collection, SearchStats(segments=3))
    assert not nothing


def test_what_parts_of_a_search_counted_is_added_up() -> None:
    total = SearchStats()
    for decision in ("scan", "scan", "ef"):
        part = SearchStats(unheeded=1)
        part.note(decision)
        total.add(part)
    assert total.decisions == {"scan": 2, "ef": 1} and total.unheeded == 3


def test_the_time_of_a_search_is_told_by_its_segments_effort(scanned: Collection) -> None:
    request = SearchRequest(ROWS[3])
    quick, view = scanned.view, scanned.view.vectors[0]
    parts = tuple(
        replace(part, segment=replace(only(scanned), effort=PLANNED)) for part in view.sealed
    )
    quick = replace(quick, vectors={0: replace(view, sealed=parts)})
    indexes = scanned.writer.indexes
    slow = estimate_seconds(scanned.view, request, indexes)
    assert slow > 1.2 * estimate_seconds(quick, request, indexes)


# Encodings asked for by name.

PLAIN = {"size": 24, "distance": "Euclid"}


def declared(**body: Any) -> CollectionConfig:
    return to_config(CollectionBody.model_validate({"vectors": PLAIN, **body}))


@pytest.mark.parametrize(
    ("body", "fixed"),
    [
        ({}, False),
        ({"metadata": {"palimpsest": {"originals": "none"}}}, False),
        ({"metadata": {"palimpsest": {"encoding": "4"}}}, True),
        ({"metadata": {"palimpsest": {"encoding": "1"}}}, True),
        ({"quantization_config": {"turbo": {"bits": "bits4"}}}, True),
        ({"vectors": {**PLAIN, "quantization_config": {"scalar": {"type": "int8"}}}}, True),
        ({"vectors": {**PLAIN, "datatype": "turbo4"}}, True),
        ({"vectors": {**PLAIN, "datatype": "float16"}}, False),
    ],
)
def test_an_encoding_is_fixed_where_it_was_asked_for(body: dict[str, Any], fixed: bool) -> None:
    config = declared(**body)
    assert config.dense[""].fixed_encoding is fixed
    again = CollectionConfig.from_json(config.to_json())
    assert again == config
    stored = config.to_json()
    del stored["vectors"][""]["fixed_encoding"]  # as earlier releases wrote it
    assert CollectionConfig.from_json(stored).dense[""].fixed_encoding is fixed


def test_a_version_is_as_free_as_the_one_it_is_declared_like() -> None:
    free, fixed = declared(), declared(metadata={"palimpsest": {"encoding": "4"}})
    like = VersionBody.model_validate({"size": 8})
    assert to_version(like, free, "v2").space.fixed_encoding is False
    assert to_version(like, fixed, "v2").space.fixed_encoding is True
    named = VersionBody.model_validate({"size": 8, "encoding": "4"})
    assert to_version(named, free, "v2").space.fixed_encoding is True
    same = VersionBody.model_validate({"size": 24, "encoding": "4"})
    assert to_version(same, free, "v1").space == free.dense[""]  # declared already


def test_codes_of_more_bits_are_outdated_once_fewer_are_asked_for(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_random_codes(monkeypatch, 4)
    collection = collection_of(config_of(24, Distance.EUCLID))
    segment = sealed(collection, ROWS)
    assert segment.encoder is not None and segment.encoder.bits == 8
    config = collection.config.dense[""]
    assert not segment.is_outdated(config)
    assert segment.is_outdated(replace(config, fixed_encoding=True))


def test_a_scan_for_fixed_codes_is_outdated_once_they_are_free(scanned: Collection) -> None:
    config = scanned.config.dense[""]
    assert not only(scanned).is_outdated(config)
    assert only(scanned).is_outdated(replace(config, fixed_encoding=False))


def test_recent_queries_end_with_their_vector_name(collection_of: OpenCollection) -> None:
    collection = collection_of(
        CollectionConfig({"": SPACE, "other": VectorConfig(4, Distance.DOT)})
    )
    for _ in range(8):
        collection.search(SearchRequest(ROWS[0]))
    view = collection.view.vectors[0]
    assert len(view.recent.queries()) == 1
    assert collection.state().vectors[""].bytes_by_component["queries"] == 4 * 24
    assert collection.view.vectors[1].recent.queries() == []
    collection.drop_vector("", dict)
    collection.add_vector("", SPACE, dict)
    assert collection.view.vectors[2].recent.queries() == []
