"""Where points on the globe lie: boxes, circles, polygons. Degrees in, metres out.

Each question has a form for one point and one for arrays of them, ``lons`` and ``lats`` (n,)
float64. Boxes and circles are open; a polygon has neither its border nor that of its holes. The
distance is the haversine one on a sphere of 6371008.8 m; edges of polygons are straight lines
between degrees. A point whose distance has no value (its latitude lies outside the globe) is
nowhere, and so is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import shapely
from haversine import Unit, haversine, haversine_vector
from numpy.typing import NDArray

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import Geo, GeoBox, GeoPolygon, GeoRadius

GeoCondition: TypeAlias = GeoBox | GeoRadius | GeoPolygon
Degrees: TypeAlias = NDArray[np.float64]  # (n,)
Flags: TypeAlias = NDArray[np.bool_]  # (n,)

MIN_CORNERS = 4  # of a closed ring


def read_point(value: Any) -> Geo | None:
    """Return the longitude and latitude of a payload value, None when it is not a point."""
    if value.__class__ is not dict:
        return None
    lon, lat = value.get("lon"), value.get("lat")
    if lon.__class__ not in (int, float) or lat.__class__ not in (int, float):
        return None
    try:
        lon, lat = float(lon), float(lat)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return (lon, lat) if math.isfinite(lon) and math.isfinite(lat) else None


def metres(one: Geo, other: Geo) -> float:
    """Return the distance between two points."""
    try:
        # Payloads may hold latitudes of 500: they are in no circle, and must not fail the whole
        # search.
        distance: float = haversine(one[::-1], other[::-1], unit=Unit.METERS, check=False)
    except ValueError:  # the arc sine of what only a latitude outside the globe gives
        return math.nan
    return distance


def metres_to(center: Geo, lons: Degrees, lats: Degrees) -> NDArray[np.float64]:
    """Return the distances (n,) float64 of many points from one."""
    center_array = np.array([center[::-1]])
    with np.errstate(invalid="ignore"):
        distances: NDArray[np.float64] = haversine_vector(
            center_array, np.stack([lats, lons], axis=1), Unit.METERS, comb=True, check=False
        )[:, 0]
    return distances


def contains(condition: GeoCondition) -> Callable[[Geo], bool]:
    """Return the test of one point."""
    if isinstance(condition, GeoRadius):
        center, radius = condition.center, condition.radius
        return lambda point: metres(point, center) < radius
    if isinstance(condition, GeoBox):
        return lambda point: bool(_in_box(condition, *point))
    exterior, holes = _rings(condition)
    return lambda point: bool(_in_polygon(exterior, holes, *point))


def contains_each(condition: GeoCondition, lons: Degrees, lats: Degrees) -> Flags:
    """Return which of the points lie inside, (n,) flags."""
    if isinstance(condition, GeoRadius):
        with np.errstate(invalid="ignore"):
            return metres_to(condition.center, lons, lats) < condition.radius
    if isinstance(condition, GeoBox):
        return np.asarray(_in_box(condition, lons, lats))
    return np.asarray(_in_polygon(*_rings(condition), lons, lats))


def _in_box(box: GeoBox, lon: Any, lat: Any) -> Any:
    (left, top), (right, bottom) = box.top_left, box.bottom_right
    east, west = lon > left, lon < right
    # A box whose left side is east of its right one goes across the antimeridian.
    across = (east | west) if left > right else (east & west)
    return across & (lat < top) & (lat > bottom)


def _rings(polygon: GeoPolygon) -> tuple[shapely.Polygon, list[shapely.Polygon]]:
    exterior, *holes = map(_ring, (polygon.exterior, *polygon.interiors))
    return exterior, holes


def _ring(corners: tuple[Geo, ...]) -> shapely.Polygon:
    if len(corners) < MIN_CORNERS or corners[0] != corners[-1]:
        raise InvalidInput(
            f"A ring of a polygon needs at least {MIN_CORNERS} points, the last the same as the "
            f"first; got {len(corners)} from {corners[:1]} to {corners[-1:]}"
        )
    ring = shapely.Polygon(corners)
    shapely.prepare(ring)  # an index over its edges, kept with the object
    return ring


def _in_polygon(exterior: shapely.Polygon, holes: list[shapely.Polygon], lon: Any, lat: Any) -> Any:
    # Holes are asked one by one, as they may overlap or leave the exterior: no valid polygon then.
    inside = shapely.contains_xy(exterior, lon, lat)
    for hole in holes:
        inside = inside & ~shapely.intersects_xy(hole, lon, lat)
    return inside
