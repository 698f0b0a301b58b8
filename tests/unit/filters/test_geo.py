from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client.local.geo import geo_distance

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import Geo, GeoBox, GeoPolygon, GeoRadius
from palimpsest.index.filters.geo import GeoCondition, contains, contains_each, metres, read_point

SQUARE = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0))
HOLE = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0), (1.0, 1.0))
RING = GeoPolygon(("place",), SQUARE, (HOLE,))
CONDITIONS: tuple[GeoCondition, ...] = (
    RING,
    GeoRadius(("place",), (179.0, 1.0), 500_000.0),
    GeoBox(("place",), (-3.0, 3.0), (3.0, -3.0)),
    GeoBox(("place",), (170.0, 3.0), (-170.0, -3.0)),
)
INSIDE: dict[Geo, bool] = {
    (0.5, 0.5): True,
    (3.0, 1.5): True,
    (1.5, 1.5): False,  # in the hole
    (1.0, 1.5): False,  # on the border of the hole
    (1.0, 1.0): False,
    (0.0, 2.0): False,  # on the border
    (4.0, 4.0): False,
    (5.0, 2.0): False,
}

geos = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


@given(geos, geos)
def test_distances_are_those_of_the_reference(one: Geo, other: Geo) -> None:
    expected = geo_distance(*one, *other)
    assert metres(one, other) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda each: type(each).__name__)
def test_one_point_and_many_have_the_same_answers(
    condition: GeoCondition, rng: np.random.Generator
) -> None:
    lons = np.concatenate([rng.uniform(-6, 6, 500), rng.uniform(-6, 6, 500) % 360 - 180, [0, 3, 4]])
    lats = np.concatenate([rng.uniform(-6, 6, 1000), [2, 0, 4]])
    inside = contains(condition)
    points = list(zip(lons.tolist(), lats.tolist(), strict=True))
    flags = contains_each(condition, lons, lats)
    assert flags.dtype == bool
    assert flags.tolist() == [inside(point) for point in points]
    assert 0 < flags.sum() < len(points)


@pytest.mark.parametrize("point", INSIDE)
def test_borders_are_outside_of_polygons_and_of_their_holes(point: Geo) -> None:
    assert contains(RING)(point) is INSIDE[point]


def test_boxes_are_open_and_cross_the_antimeridian() -> None:
    across = contains(GeoBox((), (170.0, 10.0), (-170.0, -10.0)))
    assert across((175.0, 0.0))
    assert across((-175.0, 0.0))
    assert not across((0.0, 0.0))
    assert not across((170.0, 0.0))
    assert not across((175.0, 10.0))


def test_a_point_so_far_outside_the_globe_that_it_has_no_distance_is_nowhere() -> None:
    center, far = (-59.568623082693236, 45.957554134309106), (108.75955016194501, -3.487e17)
    with pytest.raises(ValueError, match="math domain error"):
        geo_distance(*center, *far)
    assert math.isnan(metres(center, far))
    assert not contains(GeoRadius((), center, 1e9))(far)
    lons, lats = np.array([far[0], math.nan, center[0]]), np.array([far[1], 0.0, center[1]])
    assert contains_each(GeoRadius((), center, 1e9), lons, lats).tolist() == [False, False, True]


@pytest.mark.parametrize("ring", [SQUARE[:3], SQUARE[:4], ()])
def test_an_open_ring_is_refused(ring: tuple[Geo, ...]) -> None:
    with pytest.raises(InvalidInput, match="needs at least 4 points, the last the same"):
        contains(GeoPolygon((), ring))


@pytest.mark.parametrize(
    "value",
    [
        None, 1, [1, 2], {}, {"lon": 1}, {"lon": 1, "lat": "2"}, {"lon": 1, "lat": True},
        {"lon": 1, "lat": None}, {"lon": 10**400, "lat": 0}, {"lon": math.inf, "lat": 0},
    ],
)  # fmt: skip
def test_what_is_no_point_is_none(value: object) -> None:
    assert read_point(value) is None


@settings(max_examples=20)
@given(geos)
def test_points_keep_their_degrees(geo: Geo) -> None:
    assert read_point({"lon": geo[0], "lat": geo[1], "name": "x"}) == geo
    assert read_point({"lon": 3, "lat": -4}) == (3.0, -4.0)
