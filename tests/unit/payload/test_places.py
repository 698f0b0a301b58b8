"""Points on the globe: circles, boxes over the antimeridian, holes, points of several places."""

from __future__ import annotations

from pyroaring import BitMap

from palimpsest.index.filters.expression import Field, GeoBox, GeoPolygon, GeoRadius, IsEmpty
from palimpsest.index.payload.places import Places
from palimpsest.index.payload.presence import Presence
from palimpsest.index.payload.values import READ

KEY = ("où",)
STORED = {1: [(179.5, 0.0)], 2: [(-179.5, 0.0)], 3: [(0.0, 89.9), (5.0, 5.0)], 4: [(5.0, 5.0)] * 2}


def places() -> Places:
    made = Places()
    made.add(list(STORED), list(STORED.values()))
    return made


def inside(made: Places, condition: Field) -> set[int]:
    found = made.answer(condition)
    assert found is not None and not found.maybe and found.open == ""
    return set(found.sure)


def test_any_place_of_a_point_counts() -> None:
    made = places()
    assert inside(made, GeoBox(KEY, (179.0, 1.0), (-179.0, -1.0))) == {1, 2}
    assert inside(made, GeoRadius(KEY, (180.0, 0.0), 60_000.0)) == {1, 2}
    assert inside(made, GeoRadius(KEY, (90.0, 90.0), 20_000.0)) == {3}
    square = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0), (0.0, 0.0))
    hole = ((4.0, 4.0), (6.0, 4.0), (6.0, 6.0), (4.0, 6.0), (4.0, 4.0))
    assert inside(made, GeoPolygon(KEY, square)) == {3, 4}
    assert inside(made, GeoPolygon(KEY, square, (hole,))) == set()
    assert made.answer(IsEmpty(KEY)) is None


def test_points_go_and_contents_come_back() -> None:
    presence, made = Presence(), Places()
    stored = [[{"lon": 1.0, "lat": 2.0}], [{"lon": -180.0, "lat": -90.0}, {"lon": 1.0, "lat": 2.0}]]
    found = presence.add([7, 8], stored, READ["geo"])
    made.add(found.numbers, found.values)
    back = Places()
    back.load(made.to_arrays(), presence)
    near = GeoRadius(KEY, (1.0, 2.0), 1.0)
    assert inside(made, near) == inside(back, near) == {7, 8}
    back.remove([7], [found.values[0]])
    back.discard(BitMap([8]))
    assert inside(back, near) == set()
