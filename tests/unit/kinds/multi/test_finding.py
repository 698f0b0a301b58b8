"""The rows that candidates are found by are those that find them, and are made in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, FdeConfig, MultiConfig
from palimpsest.index.kinds.multi import live, probe
from palimpsest.index.kinds.multi.finding import bytes_of, find_candidates
from palimpsest.index.kinds.multi.live import LiveSets
from palimpsest.index.segments.build import Build
from tests.unit.kinds.multi.conftest import Only
from tests.unit.kinds.multi.corpus import SIZE, texts
from tests.unit.kinds.multi.test_seal import part_of

CONFIG = MultiConfig(
    SIZE, Distance.COSINE, fde=FdeConfig(k_sim=3, projected=8, repetitions=20), encoding="4"
)


def live_of(n: int, config: MultiConfig = CONFIG) -> LiveSets:
    part = part_of(texts(n), config)
    return LiveSets([(part, part.dead)], config)


def test_few_sets_have_no_rows() -> None:
    assert find_candidates(live_of(probe.FEWEST_SETS - 1), Build(CONFIG)) is None
    euclid = MultiConfig(SIZE, Distance.EUCLID)
    assert find_candidates(live_of(probe.FEWEST_SETS, euclid), Build(euclid)) is None


def test_pieces_do_not_change_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = find_candidates(live_of(400), Build(CONFIG, seed=3))
    monkeypatch.setattr(live, "PIECE_SETS", 37)
    pieces = find_candidates(live_of(400), Build(CONFIG, seed=3))
    assert whole is not None and pieces is not None and whole.finished.order is None
    assert {*whole.finished.files} == {*pieces.finished.files}
    for name, array in whole.finished.files.items():
        np.testing.assert_array_equal(array, pieces.finished.files[name])
    assert {*whole.probed.found} == {"mean", "lists", "wide_lists", "fde"}
    assert whole.probed == pieces.probed and whole.probed.queries == probe.QUERIES


def test_enough_sets_have_a_graph_and_a_build_can_be_cancelled(only: Only) -> None:
    only("mean")
    found = find_candidates(live_of(1_100), Build(CONFIG))
    assert found is not None and found.finished.order is not None
    assert sorted(found.finished.order.tolist()) == [*range(1_100)]
    assert find_candidates(live_of(300), Build(CONFIG, cancelled=lambda: True)) is None


def test_memory_is_less_than_that_of_sets() -> None:
    quality = MultiConfig(128, Distance.COSINE)
    few, many = (bytes_of(quality, n, 134 * n) for n in (100_000, 200_000))
    assert many - few < 100_000 * 20_000  # a set of 134 vectors has 68,608 bytes
