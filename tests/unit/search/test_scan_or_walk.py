"""Whether codes are scanned or a graph is walked."""

from __future__ import annotations

from palimpsest.index.search.scan_or_walk import is_few, walk_of


def test_few_allowed_rows_are_scanned() -> None:
    for n in (1_000, 50_000, 10_000_000):
        for allowed in (0, 1, 500, 5_000):
            assert is_few(allowed, 128)
            assert walk_of(n, min(allowed, n), 128) is None


def test_a_walk_is_chosen_where_many_rows_are_allowed() -> None:
    wide = walk_of(48_000, 40_000, 128)
    assert wide is not None and not wide.two_hops
    assert 64 < wide.ef <= 128
    assert wide.frontier >= wide.ef
    assert 0 < wide.most_scored < 40_000
    past = walk_of(1_000_000, 100_000, 128)
    assert past is not None and past.two_hops
    assert past.ef > 128


def test_the_larger_ef_the_longer_scans_are_worth_it() -> None:
    assert walk_of(1_000_000, 100_000, 128) is not None
    assert walk_of(1_000_000, 100_000, 1_000) is None
    assert not is_few(100_000, 128) and is_few(100_000, 4_000)


def test_every_walk_fits_the_rows_there_are() -> None:
    for n in (1, 10, 100_000):
        for allowed in (0, n // 2, n):
            for ef in (1, 10, 400_000):
                walk = walk_of(n, allowed, ef)
                if walk is not None:
                    assert 1 <= walk.ef <= n and 0 <= walk.least_share <= 1
