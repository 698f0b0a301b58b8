"""Chains of versions on a live collection, against plain search in numpy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, VectorConfig
from palimpsest.index.adapters.fit_request import FitRequest
from palimpsest.index.adapters.scoring import best, bridged_scores, native_scores
from palimpsest.index.errors import (
    InvalidConfig,
    InvalidPairs,
    UnknownVectorName,
    VersionNotFound,
)
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.types import NamedVectors, Vectors
from palimpsest.index.versions.chain_request import ChainRequest
from palimpsest.index.write.batch import PointBatch
from tests.conftest import OpenCollection
from tests.oracle import normalise
from tests.points import batch_of, config_of
from tests.unit.versions.set_upgrade import SetUpgrade

POINTS, SETS, K, GROUPS = 400, 80, 5, 12
COSINE = Distance.COSINE
RNG = np.random.default_rng(11)
LABELS = RNG.integers(0, GROUPS, POINTS)
CENTRES = 0.5 * RNG.standard_normal((GROUPS, 16))
GOOD = normalise((CENTRES[LABELS] + RNG.standard_normal((POINTS, 16))).astype(np.float32))
TURN, _ = np.linalg.qr(RNG.standard_normal((16, 16)))
VERSIONS: dict[str, Vectors] = {
    "v1": normalise((GOOD + 0.4 * RNG.standard_normal(GOOD.shape)).astype(np.float32)[:, :12]),
    "v2": normalise((GOOD + 0.2 * RNG.standard_normal(GOOD.shape)).astype(np.float32)),
    "v3": normalise((GOOD @ TURN).astype(np.float32)),
}
REQUEST = ChainRequest("", tuple(VERSIONS), K, relevant_by=parse_path("group"), sample=POINTS)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    """400 points that hold three versions, and an adapter between all but v1 and v3."""
    collection = collection_of(config_of(12))
    payloads = [json.dumps({"group": int(one)}).encode() for one in LABELS]
    collection.upsert(batch_of(range(POINTS), VERSIONS["v1"], payloads)).result()
    for version in ("v2", "v3"):
        collection.versions.declare("", version, VectorConfig(16, COSINE), declared={})
        named = {f"@{version}": NamedVectors(np.arange(POINTS), VERSIONS[version])}
        batch = PointBatch(range(POINTS), named, [None] * POINTS)
        collection.update_vectors(batch).result()
    collection.upkeep.seal()
    return collection


def plainly(scores: Vectors, asking: list[int], rows: list[int]) -> float:
    """Return how often the closest of some rows have the label of who asks, itself left out."""
    shares = []
    for own, line in zip(asking, scores, strict=True):
        order = [rows[place] for place in np.argsort(-line, kind="stable") if rows[place] != own]
        shares.append(np.mean(LABELS[order[:K]] == LABELS[own]))
    return float(np.mean(shares))


def test_agreement_equals_plain_search(collection: Collection) -> None:
    found = collection.versions.compare_chain(REQUEST)
    rows = list(range(POINTS))
    for place, vectors in enumerate(VERSIONS.values()):
        own = plainly(native_scores(vectors, vectors, COSINE), rows, rows)
        cell = found["matrix"][place][place]
        assert cell["value"] == pytest.approx(own)
        assert cell["interval"][0] < own < cell["interval"][1]
    assert (found["queries"], found["points"], found["fitted_points"]) == (POINTS, POINTS, 0)
    assert found["labels"]["chance"] == pytest.approx(1 / GROUPS, abs=0.02)
    assert (found["ac"], found["measure"], found["assumes"]) == (None, "agreement", None)
    assert [step["verdict"] for step in found["steps"]] != ["stay", "stay"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_bridged_cells_are_measured_on_points_that_no_adapter_was_fitted_on(
    collection: Collection,
) -> None:
    for rows, queries in (("v1", "v2"), ("v2", "v3"), ("v1", "v3")):
        collection.versions.fit(FitRequest(rows, queries, kind="ridge"))
    found = collection.versions.compare_chain(REQUEST)
    config, fitted = collection.config, collection.writer.fitted
    seen: set[int] = set()
    for one in fitted.values():
        assert one.points is not None
        seen.update(one.points.tolist())
    asking = [row for row in range(POINTS) if row not in seen]  # numbers are ids here
    assert (found["points"], found["fitted_points"]) == (len(asking), len(seen))
    assert found["queries"] == len(asking)
    adapter = fitted[0, config.number("@v2")].adapter
    scores = bridged_scores(adapter, VERSIONS["v2"][asking], VERSIONS["v1"][asking], COSINE)
    cell = found["matrix"][1][0]
    assert cell["value"] == pytest.approx(plainly(scores, asking, asking), abs=0.02)
    assert found["matrix"][0][1]["value"] is None
    assert 0 <= found["ac"] <= 1
    assert found["am"] == pytest.approx(
        np.mean([found["matrix"][t][k]["value"] for t in range(3) for k in range(t + 1)])
    )
    assert "bridge" in found["steps"][0]["over_old"]


def test_candidates_ranked_by_new_vectors_equal_plain_ranking(collection: Collection) -> None:
    found = collection.versions.compare_chain(REQUEST)
    old, new = VERSIONS["v1"], VERSIONS["v2"]
    shares = []
    for own in range(POINTS):
        first = np.argsort(-(old @ old[own]), kind="stable")
        first = first[first != own][:100]
        order = first[np.argsort(-(new[first] @ new[own]), kind="stable")][:K]
        shares.append(np.mean(LABELS[order] == LABELS[own]))
    gained = np.mean(shares) - found["matrix"][0][0]["value"]
    way = found["steps"][0]["over_old"]["cascade_from_old"]
    assert way["value"] == pytest.approx(gained)


def queries() -> dict[str, Vectors]:
    """Return points as somebody asks for them, in all versions."""
    return {version: rows[:60] for version, rows in VERSIONS.items()}


def test_judged_queries_fill_the_matrix(collection: Collection) -> None:
    relevant = [[place] for place in range(60)]
    relevant[3] = []
    asked = replace(REQUEST, relevant_by=None, queries=queries(), relevant=relevant)
    found = collection.versions.compare_chain(asked)
    assert (found["measure"], found["queries"], found["labels"]) == ("known_item", 59, None)
    assert [found["matrix"][i][i]["value"] for i in range(3)] == [1.0] * 3  # they are themselves
    assert found["counted"]["left_out"] == {"nothing is relevant to it": [3]}
    assert [one["verdict"] for one in found["steps"]] == ["stay", "stay"]


def test_unjudged_queries_are_measured_by_the_newest_answer(collection: Collection) -> None:
    asked = replace(REQUEST, relevant_by=None, queries=queries())
    found = collection.versions.compare_chain(asked)
    lists = {v: best(native_scores(own[:60], own, COSINE), K) for v, own in VERSIONS.items()}
    for place, own in enumerate(lists.values()):
        both = [len(set(a) & set(b)) / K for a, b in zip(own, lists["v3"], strict=True)]
        assert found["matrix"][place][place]["value"] == pytest.approx(np.mean(both))
    assert (found["measure"], found["steps"]) == ("overlap", [])
    assert found["assumes"]


def test_versions_of_sets_are_compared_by_their_sets(tmp_path: Path) -> None:
    upgrade = SetUpgrade(tmp_path, "v2", n=SETS)
    upgrade.put("v1", range(SETS))
    upgrade.put("v2", range(SETS))
    points = upgrade.collection
    for group in range(GROUPS):
        ids = [int(one) for one in np.flatnonzero(LABELS[:SETS] == group)]
        points.set_payload(ids, json.dumps({"group": group}).encode()).result()
    asked = replace(REQUEST, versions=("v1", "v2"), sample=SETS)
    found = points.versions.compare_chain(asked)
    for place, version in enumerate(("v1", "v2")):
        shares = []
        for own in range(SETS):
            found_ids = upgrade.search(version, upgrade.asked(version, own), K + 1, exact=True).ids
            ids = [one for one in found_ids if one != own][:K]
            shares.append(np.mean(LABELS[ids] == LABELS[own]))
        assert found["matrix"][place][place]["value"] == pytest.approx(np.mean(shares))
    points.close()


REFUSED: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"versions": ("v1",)}, InvalidConfig),
    ({"versions": ("v1", "v1")}, InvalidConfig),
    ({"versions": tuple("abcdefghi")}, InvalidConfig),
    ({"versions": ("v1", "v9")}, VersionNotFound),
    ({"vector": "none"}, UnknownVectorName),
    ({"k": 0}, InvalidConfig),
    ({"k": 101}, InvalidConfig),
    ({"sample": 1}, InvalidConfig),
    ({"relevant_by": None}, InvalidConfig),
    ({"relevant_by": None, "queries": {"v1": GOOD[:1]}}, InvalidConfig),
    ({"relevant_by": None, "queries": queries(), "relevant": [[1]]}, InvalidConfig),
    ({"relevant_by": parse_path("nowhere")}, InvalidPairs),
]


def test_chains_that_are_refused(collection: Collection) -> None:
    for changed, error in REFUSED:
        with pytest.raises(error):
            collection.versions.compare_chain(replace(REQUEST, **changed))
    collection.versions.declare("", "v4", VectorConfig(16, COSINE), declared={})
    with pytest.raises(InvalidPairs, match="0 points hold all of the versions"):
        collection.versions.compare_chain(replace(REQUEST, versions=("v1", "v4")))
