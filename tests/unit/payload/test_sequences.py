"""Phrases stay findable, and tokens that are gone take no memory."""

from __future__ import annotations

from pyroaring import BitMap

from palimpsest.index.payload.sequences import Sequences

ALL = BitMap(range(100))


def test_tokens_that_come_and_go_do_not_gather() -> None:
    sequences = Sequences()
    sequences.add(0, ["red", "ripe", "apple"])
    sequences.add(1, ["ripe", "red", "apple"])
    sequences.add(2, [])
    for turn in range(400):
        sequences.add(3, [f"word {turn} {place}" for place in range(2_000)] + ["ripe", "apple"])
        if turn < 399:
            sequences.discard([3, 4])
    assert sequences.nbytes < 40_000_000  # of 800,000 tokens all but the latest are gone
    for each in (sequences, Sequences.from_arrays(sequences.to_arrays())):
        assert each.with_phrase(["ripe", "apple"], ALL) == BitMap([0, 3])
        assert each.with_phrase(["red", "apple"], ALL) == BitMap([1])
        assert each.with_phrase(["word 399 7", "word 399 8"], ALL) == BitMap([3])
    sequences.discard(range(100))
    assert not sequences.with_phrase(["red"], ALL)
