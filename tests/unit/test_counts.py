"""Counters of series that are there from the start, and of those that come."""

from __future__ import annotations

from palimpsest.app.counts import Counts


def test_series_are_there_before_they_are_counted() -> None:
    counts = Counts("palimpsest_things", "Things.", ("kind", "place"), [("a", "b")])
    counts.add("é", "b")
    counts.add("é", "b")
    (family,) = counts.collect()
    assert family.type == "counter"
    assert [(s.name, s.labels, s.value) for s in family.samples] == [
        ("palimpsest_things_total", {"kind": "a", "place": "b"}, 0),
        ("palimpsest_things_total", {"kind": "é", "place": "b"}, 2),
    ]


def test_counters_do_not_share_their_series() -> None:
    one, other = Counts("a", "A.", ("k",), [("x",)]), Counts("b", "B.", ("k",), [("x",)])
    one.add("x")
    assert other.values == {("x",): 0}
