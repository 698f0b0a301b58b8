"""Random numbers that never change: golden values, and that they are random at all."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.encoding import draws


def test_words_are_those_of_the_published_generator() -> None:
    assert draws.words(1234567, 5).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_what_is_made_of_words_never_changes() -> None:
    assert draws.signs(7, 12).tolist() == [1, 1, 1, -1, 1, -1, 1, 1, 1, -1, 1, 1]
    assert draws.bells(7, 12).tolist() == [1, -2, -9, 3, 2, 5, 1, 5, -4, -1, 3, 4]
    assert draws.below(1_000, 7, 6).tolist() == [389, 16, 900, 582, 452, 249]
    assert draws.stream(7, 1) == 4414019431610648415


def test_a_longer_draw_begins_with_a_shorter_one() -> None:
    for draw in (draws.words, draws.signs, draws.bells):
        np.testing.assert_array_equal(draw(3, 1_000)[:77], draw(3, 77))
        assert len(draw(3, 0)) == 0


def test_signs_are_even() -> None:
    found = draws.signs(1, 100_000)
    assert set(found.tolist()) == {-1, 1}
    assert abs(found.mean()) < 4 / np.sqrt(len(found))


def test_bells_are_normal_of_deviation_four() -> None:
    found = draws.bells(2, 100_000).astype(np.float64)
    assert abs(found.mean()) < 4 * 4 / np.sqrt(len(found))
    assert found.std() == pytest.approx(4, rel=0.01)
    assert (found**4).mean() / found.var() ** 2 == pytest.approx(3 - 2 / 64, abs=0.1)


def test_numbers_below_a_limit_are_equally_likely() -> None:
    counts = np.bincount(draws.below(10, 3, 100_000), minlength=10)
    assert len(counts) == 10
    assert (np.abs(counts - 10_000) < 5 * np.sqrt(10_000)).all()


def test_streams_and_seeds_share_nothing() -> None:
    seen = [draws.words(draws.stream(seed, n), 500) for seed in (0, 1, 2**63 - 1) for n in range(4)]
    assert len(np.unique(np.concatenate(seen))) == 12 * 500
