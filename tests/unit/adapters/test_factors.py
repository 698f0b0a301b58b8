"""Factors kept per part: of parts that grow, are forgotten, and are asked for at once."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.factors import Factors
from palimpsest.index.types import Vectors

ROWS = np.random.default_rng(3).standard_normal((10_000, 4)).astype(np.float32)


class Part:
    def __init__(self, held: Vectors = ROWS) -> None:
        self.held = held

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        return self.held[rows]


def lengths(rows: Vectors) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(rows, axis=1), dtype=np.float32)


def test_a_part_that_grows_keeps_what_searches_hold() -> None:
    factors, plain = Factors(lengths), lengths(ROWS)
    held = []
    for n in (1, 3, 4, 5_000, 5_001, 9_999, 2, 10_000):
        assert factors.has("grows", n) == any(n <= done for done, _ in held)
        held.append((n, factors.of("grows", Part(), n)))
        for done, found in held:
            assert found.flags.c_contiguous and found.dtype == np.float32
            assert np.array_equal(found[:done], plain[:done])


def test_what_is_forgotten_is_computed_again() -> None:
    factors = Factors(lengths)
    for key in ("kept", "gone", 7):
        factors.of(key, Part(), 10)
    factors.keep({"kept", 7})
    assert factors.has("kept", 10) and factors.has(7, 10) and not factors.has("gone", 1)
    assert factors.nbytes == 80
    assert np.array_equal(factors.of("gone", Part(), 10), lengths(ROWS[:10]))


def test_threads_that_ask_and_forget_at_once_agree() -> None:
    factors, plain = Factors(lengths), lengths(ROWS)
    ended, wrong = threading.Event(), []

    def forget() -> None:
        while not ended.is_set():
            factors.keep(())

    def ask(seed: int) -> None:
        sizes = np.random.default_rng(seed).integers(1, 300, 400)
        for n in sizes.tolist():
            factors.has("part", n)
            if not np.array_equal(factors.of("part", Part(), n)[:n], plain[:n]):
                wrong.append(n)

    asking = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
    forgetting = threading.Thread(target=forget)
    for thread in (*asking, forgetting):
        thread.start()
    for thread in asking:
        thread.join()
    ended.set()
    forgetting.join()
    assert not wrong


def test_rows_that_are_no_numbers_cost_the_others_nothing() -> None:
    rows = ROWS.copy()
    rows.view(np.uint32)[3, 0] = 0x7FA00000  # a signalling NaN, which computing with would warn of
    factors = Factors(lambda some: some @ np.ones(some.shape[1], np.float32))
    found = factors.of("a", Part(rows), len(rows))
    assert np.isnan(found[3]) and np.isfinite(np.delete(found, 3)).all()
