"""What recent searches were."""

from __future__ import annotations

import numpy as np

from palimpsest.index.segments.recent import KEPT, Recent


def test_one_search_in_eight_is_kept_of_late() -> None:
    recent = Recent()
    asked = [np.full(4, number, dtype=np.float32) for number in range(8 * (KEPT + 5))]
    for query in asked:
        recent.note(query)
    kept = sorted(int(query[0]) for query in recent.queries())
    assert kept == [8 * number for number in range(5, KEPT + 5)]
    assert recent.nbytes == KEPT * 16
    asked[-8][:] = -1.0  # a caller's array may be used again
    assert min(float(query[0]) for query in recent.queries()) >= 0


def test_large_queries_take_no_more_than_a_megabyte() -> None:
    recent = Recent()
    for number in range(8 * 40):
        recent.note(np.full(65_536, number, dtype=np.float32))
    assert 0 < recent.nbytes <= 1 << 20


def test_a_query_asked_many_times_counts_once() -> None:
    recent = Recent()
    for _ in range(800):
        recent.note(np.ones(4, dtype=np.float32))
    assert len(recent.queries()) == 1


def test_the_newest_come_last_and_as_many_as_are_wanted() -> None:
    recent = Recent()
    for number in (1, 2, 3, 1, 4):
        for _ in range(8):
            recent.note(np.full(4, number, dtype=np.float32))
    assert [int(query[0]) for query in recent.queries()] == [2, 3, 1, 4]
    assert [int(query[0]) for query in recent.queries(2)] == [1, 4]
