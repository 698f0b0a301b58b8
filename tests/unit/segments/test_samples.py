"""Recalls of late are kept, those with a filter and those without one apart."""

from __future__ import annotations

import pytest

from palimpsest.index.segments import samples
from palimpsest.index.segments.samples import KEPT, Samples


def test_the_newest_are_kept_and_all_are_counted() -> None:
    kept = Samples()
    for number in range(KEPT + 5):
        kept.add(number / 10_000, filtered=False)
    kept.add(0.5, filtered=True)
    assert kept.of_late(filtered=False)[0] == 5 / 10_000
    assert len(kept.of_late(filtered=False)) == KEPT
    assert kept.of_late(filtered=True) == [0.5]
    assert (kept.total(filtered=False), kept.total(filtered=True)) == (KEPT + 5, 1)


def test_old_ones_say_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, now = Samples(), 0.0
    monkeypatch.setattr(samples, "monotonic", lambda: now)
    kept.add(0.1, filtered=False)
    now = 3_000.0
    kept.add(0.2, filtered=False)
    now = 4_000.0
    assert kept.of_late(filtered=False) == [0.2]
    assert kept.total(filtered=False) == 2
