"""Levels of a tree."""

from __future__ import annotations

from palimpsest.index.query.request import Fusion, Nearest, Prefetch, levels_of


def test_levels() -> None:
    leaf = Prefetch(Nearest(1))
    middle = Prefetch(Fusion(), prefetches=(leaf, leaf))
    root = Prefetch(Fusion(), prefetches=(middle, leaf))
    assert [*levels_of(root)] == [root, middle, leaf, leaf, leaf]
