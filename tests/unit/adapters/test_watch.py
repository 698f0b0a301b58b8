"""Progress of pieces of work is told as shares of the whole, and all of them can be cancelled."""

from __future__ import annotations

import pytest

from palimpsest.index.adapters.watch import FitCancelled, Watch


def test_pieces_of_pieces_tell_shares_of_the_whole() -> None:
    told: list[float] = []
    whole = Watch(told.append)
    half = whole.part(0.5, 1.0)
    half.reached(0.0)
    half.part(0.5, 1.0).reached(0.5)
    half.reached(1.0)
    assert told == [0.5, 0.875, 1.0]


def test_what_is_cancelled_ends_before_it_tells_of_progress() -> None:
    told: list[float] = []
    cancelled = False
    watch = Watch(told.append, lambda: cancelled)
    part = watch.part(0.0, 0.5)
    part.reached(1.0)
    cancelled = True
    for one in (watch, part, part.part(0.0, 1.0)):
        with pytest.raises(FitCancelled):
            one.reached(0.75)
    assert told == [0.5]


def test_a_watch_of_nobody_takes_everything() -> None:
    Watch().part(0.25, 0.5).reached(1.0)
    assert not Watch().cancelled()
