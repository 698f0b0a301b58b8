"""Sets of several parts, read in any order and in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, MultiConfig
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi import live
from palimpsest.index.kinds.multi.live import LiveSets
from tests.unit.kinds.multi.test_seal import SIZE, part_of
from tests.unit.kinds.multi.twin import drawn

CONFIG = MultiConfig(SIZE, Distance.DOT, pool=2)


def test_any_order_and_any_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    one = part_of(drawn(range(20), SIZE), CONFIG).without(np.array([3], dtype=np.uint64))
    two = part_of(drawn(range(20, 30), SIZE), CONFIG)
    sets = LiveSets([(one, one.dead), (two, two.dead)], CONFIG)
    ids = [n for n in range(30) if n != 2]
    expected = drawn(range(30), SIZE)
    expected |= drawn(range(20, 30), SIZE)
    order = np.random.default_rng(0).permutation(len(sets))
    assert len(sets) == 29 and sets.points(order).ids.tolist() == [ids[at] for at in order]
    monkeypatch.setattr(live, "PIECE_NUMBERS", 7 * SIZE)
    monkeypatch.setattr(live, "PIECE_SETS", 3)
    encoder, seen = TokenEncoder(SIZE, 8), 0
    for piece in sets.pieces(order):
        some = sets.take(order[piece])
        assert len(some) <= 3
        assert some.counts.tolist() == sets.counts[order[piece]].tolist()
        codes, labels = sets.coded(order[piece], encoder)
        assert len(codes) == sets.coded_counts[order[piece]].sum()
        assert len(labels) == sets.given_counts[order[piece]].sum()
        seen += len(some)
    assert seen == 29
    assert (sets.coded_counts == -(-sets.counts // 2)).all()
    np.testing.assert_array_equal(sets.take(np.array([19])).values, drawn(range(20, 21), SIZE)[20])
