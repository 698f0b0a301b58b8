"""What adapters of sets are fitted on: tokens at the same places, or means; what is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import FitRequest, InvalidConfig, InvalidPairs
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.versions import drawn_sets
from palimpsest.index.versions.drawn_sets import candidates_of, over_of, token_pairs
from tests.unit.versions.set_upgrade import SIZES, SetUpgrade, config_of


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[SetUpgrade]:
    made = SetUpgrade(tmp_path / "collection", "v2", "v3", "v4")
    made.put("v1", range(made.n))
    made.put("v2", range(made.n))
    yield made
    made.collection.close()


def test_what_is_compared_goes_by_the_kinds_of_both_versions() -> None:
    single, sets, shorter = (config_of(one) for one in ("v1", "v2", "v3"))
    assert over_of(single, single) == "vectors"
    assert over_of(sets, single) == "means of rows"
    assert over_of(single, sets) == "means of queries"
    assert over_of(sets, shorter) == "tokens"
    kinds = ["identity", "prefix", "procrustes", "ridge"]
    assert candidates_of("means of rows", kinds, sets, single) == kinds
    assert candidates_of("tokens", kinds, shorter, sets) == ["identity", "prefix", "procrustes"]
    assert candidates_of("tokens", kinds, sets, shorter) == ["identity", "procrustes"]


def slots_of(upgrade: SetUpgrade, version: str) -> np.ndarray:
    collection = upgrade.collection
    column = collection.view.config.number(f"@{version}")
    numbers = np.array(collection.reading().numbers_of(list(range(upgrade.n))), dtype=np.uint32)
    return collection.reading()._points.slots_of(numbers, column)


def test_tokens_are_paired_where_texts_are_cut_alike(upgrade: SetUpgrade) -> None:
    view = upgrade.collection.view
    upgrade.put("v3", range(upgrade.n))
    view = upgrade.collection.view
    ends = [view.vectors[view.config.number(name)] for name in ("@v2", "@v3")]
    slots = [slots_of(upgrade, version) for version in ("v2", "v3")]
    pairs = token_pairs(ends, slots)
    assert pairs is not None and pairs.rows.shape[1] == SIZES["v2"]
    assert len(pairs.rows) == sum(len(one) for one in upgrade.made["v2"])
    upgrade.made["v3"] = [one[:1] for one in upgrade.made["v3"]]  # cut otherwise
    upgrade.put("v3", range(upgrade.n))
    view = upgrade.collection.view
    ends = [view.vectors[view.config.number(name)] for name in ("@v2", "@v3")]
    assert token_pairs(ends, [slots_of(upgrade, "v2"), slots_of(upgrade, "v3")]) is None
    info = upgrade.fit("v2", "v3")  # on means
    assert info.kind in drawn_sets.TOKEN_KINDS and info.pairs + info.held_out <= upgrade.n


@pytest.mark.parametrize(("rows", "queries"), [("v1", "v2"), ("v2", "v1"), ("v2", "v3")])
def test_reports_are_of_exact_answers(upgrade: SetUpgrade, rows: str, queries: str) -> None:
    upgrade.put("v3", range(upgrade.n))
    info = upgrade.fit(rows, queries)
    report = info.report
    assert report["new_new"] == 1.0 and 0.3 < report["bridged"] <= 1.0
    assert report["pairs_held_out"] == info.held_out and len(report["merges"]) == 4
    assert upgrade.fitted(rows, queries).over == over_of(config_of(rows), config_of(queries))
    before = upgrade.fitted(rows, queries)
    upgrade.reopen()
    after = upgrade.fitted(rows, queries)
    assert (after.over, after.rows_distance) == (before.over, before.rows_distance)
    assert after.report == before.report


def test_as_many_are_measured_on_as_can_be_compared_exactly(
    upgrade: SetUpgrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawn_sets, "MOST_TOKENS", 100)
    assert 16 <= upgrade.fit("v1", "v2").held_out < 40


def test_what_is_of_no_use_to_sets_is_refused(upgrade: SetUpgrade) -> None:
    upgrade.put("v3", range(upgrade.n))
    fit = upgrade.collection.versions.fit
    with pytest.raises(InvalidConfig, match="'ridge' scales the vectors"):
        upgrade.fit("v2", "v3", "ridge")
    pairs = Pairs(np.ones((20, 8), np.float32), np.ones((20, 12), np.float32))
    for given in ({"pairs": pairs}, {"query_pairs": pairs}, {"anchors": pairs}):
        with pytest.raises(InvalidPairs, match="version 'v2' has sets"):
            fit(FitRequest("v1", "v2", **given))
    assert upgrade.collection.versions.adapters() == []
    upgrade.fit("v1", "v2")
    with pytest.raises(InvalidConfig, match="embed the points for 'v2'"):
        upgrade.collection.versions.consolidate("", "v1", "v2")


def test_settings_can_be_bridged_before_a_point_holds_both(tmp_path: Path) -> None:
    upgrade = SetUpgrade(tmp_path / "collection", "v2", "v4", n=40)
    upgrade.put("v2", range(40))
    assert upgrade.fit("v2", "v4", "identity").kind == "identity"
    found = upgrade.search("v4", upgrade.asked("v4", 7), 40)
    assert found.ids[0] == 7 and sorted(found.ids) == list(range(40))
    upgrade.collection.close()
