"""Conditions on the values at a key: JSON to ``index.Field``.

One condition may name several kinds at once. Kinds that look at single values are then OR-ed, as
Qdrant does; one that looks at the field as a whole stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from palimpsest.app.errors import format_error, out_of_range
from palimpsest.app.schemas.shapes import (
    read_bool,
    read_count,
    read_float,
    read_list,
    read_number,
    read_object,
    read_text,
    wrong_shape,
)
from palimpsest.index import (
    Condition,
    DatetimeRange,
    Filter,
    Geo,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    InvalidInput,
    IsEmpty,
    IsNull,
    Match,
    MatchExcept,
    MatchText,
    Path,
    Range,
    ValuesCount,
    parse_datetime,
    parse_path,
)

BOUNDS = ("lt", "gt", "gte", "lte")
MIN_CORNERS = 4  # of a ring, the last one the same as the first
MAX_LON, MAX_LAT = 180.0, 90.0


def read_field(raw: Any, where: str) -> Condition:
    """Return what ``{"key": ..., <kind>: ...}`` asks.

    Raises:
        Refusal: 400 for what cannot be read, 422 for a condition without a kind.
    """
    asked = read_object(raw, where, ("key", *FIELD_KINDS), ("key",))
    path = read_path(asked.pop("key"), f"{where}.key")
    if not asked:
        raise out_of_range(where, "At least one field condition must be specified")
    kinds = [FIELD_KINDS[name](path, value, f"{where}.{name}") for name, value in asked.items()]
    if len(kinds) == 1:
        return kinds[0]
    for name in ("values_count", "is_empty", "is_null"):
        if name in asked:
            raise format_error(
                f"{where}: `{name}` beside {' and '.join(f'`{n}`' for n in asked if n != name)} "
                "in one condition; put each into a condition of its own"
            )
    # As Qdrant reads several kinds in one condition: it holds where any of them does.
    return Filter(should=tuple(kinds))


def read_path(raw: Any, where: str) -> Path:
    """Return the path a key means. Raises Refusal."""
    try:
        return parse_path(read_text(raw, where))
    except InvalidInput as error:
        raise format_error(f"{where}: {error}") from None


def _match(path: Path, raw: Any, where: str) -> Condition:
    asked = read_object(raw, where, _MATCHES)
    if len(asked) != 1:
        names = ", ".join(f"`{name}`" for name in asked) or "none"
        raise format_error(
            f"{where}: expected exactly one of {', '.join(f'`{n}`' for n in _MATCHES)}; got {names}"
        )
    ((name, value),) = asked.items()
    return _MATCHES[name](path, value, f"{where}.{name}")


def _match_value(path: Path, raw: Any, where: str) -> Condition:
    if not isinstance(raw, bool | int | str):
        raise wrong_shape(where, "a string, an integer, true or false", raw)
    return Match(path, (raw,))


def _match_any(path: Path, raw: Any, where: str) -> Condition:
    return Match(path, _values(raw, where))


def _match_except(path: Path, raw: Any, where: str) -> Condition:
    return MatchExcept(path, _values(raw, where))


def _values(raw: Any, where: str) -> tuple[int | str, ...]:
    values = read_list(raw, where)
    if values and set(map(type, values)) not in ({int}, {str}):
        raise format_error(f"{where}: expected either only strings or only integers")
    return tuple(values)


def _match_text(how: Any) -> Callable[[Path, Any, str], Condition]:
    return lambda path, raw, where: MatchText(path, read_text(raw, where), how)


def _range(path: Path, raw: Any, where: str) -> Condition:
    bounds = read_object(raw, where, BOUNDS)
    if bounds and all(isinstance(bound, str) for bound in bounds.values()):
        return DatetimeRange(path, **{n: _moment(b, f"{where}.{n}") for n, b in bounds.items()})
    return Range(path, **{n: _bound(b, f"{where}.{n}") for n, b in bounds.items()})


def _bound(raw: Any, where: str) -> int | float:
    if isinstance(raw, str):
        raise format_error(f"{where}: expected bounds that are all numbers or all datetimes")
    return read_number(raw, where)


def _moment(raw: str, where: str) -> int:
    moment = parse_datetime(raw)
    if moment is None:
        raise wrong_shape(where, "an RFC 3339 datetime such as 2024-01-31T12:00:00Z", raw)
    return moment


def _values_count(path: Path, raw: Any, where: str) -> Condition:
    bounds = read_object(raw, where, BOUNDS)
    return ValuesCount(path, **{n: read_count(b, f"{where}.{n}") for n, b in bounds.items()})


def _is_empty(path: Path, raw: Any, where: str) -> Condition:
    return _holds(IsEmpty(path), read_bool(raw, where))


def _is_null(path: Path, raw: Any, where: str) -> Condition:
    return _holds(IsNull(path), read_bool(raw, where))


def _holds(condition: Condition, wanted: bool) -> Condition:
    return condition if wanted else Filter(must_not=(condition,))


def _geo_box(path: Path, raw: Any, where: str) -> Condition:
    asked = read_object(raw, where, (names := ("top_left", "bottom_right")), names)
    return GeoBox(path, *(_point(asked[name], f"{where}.{name}") for name in names))


def _geo_radius(path: Path, raw: Any, where: str) -> Condition:
    asked = read_object(raw, where, (names := ("center", "radius")), names)
    center = _point(asked["center"], f"{where}.center")
    radius = read_float(asked["radius"], f"{where}.radius")
    if radius < 0:
        raise out_of_range(f"{where}.radius", f"value {radius} is invalid. Must be 0 or larger.")
    return GeoRadius(path, center, radius)


def _geo_polygon(path: Path, raw: Any, where: str) -> Condition:
    asked = read_object(raw, where, ("exterior", "interiors"), ("exterior",))
    holes = read_list(asked.get("interiors", []), f"{where}.interiors")
    return GeoPolygon(
        path,
        _ring(asked["exterior"], f"{where}.exterior"),
        tuple(_ring(hole, f"{where}.interiors[{i}]") for i, hole in enumerate(holes)),
    )


def _ring(raw: Any, where: str) -> tuple[Geo, ...]:
    listed = read_list(read_object(raw, where, ("points",), ("points",))["points"], where)
    corners = tuple(_point(each, f"{where}.points[{i}]") for i, each in enumerate(listed))
    if len(corners) < MIN_CORNERS or corners[0] != corners[-1]:
        raise format_error(
            f"{where}: expected at least {MIN_CORNERS} points, the last the same as the first; "
            f"got {len(corners)}, from {corners[:1]} to {corners[-1:]}"
        )
    return corners


def _point(raw: Any, where: str) -> Geo:
    asked = read_object(raw, where, (names := ("lon", "lat")), names)
    lon, lat = (read_float(asked[name], f"{where}.{name}") for name in names)
    if not (abs(lon) <= MAX_LON and abs(lat) <= MAX_LAT):
        raise format_error(
            f"{where}: expected lon within [-180;180] and lat within [-90;90], "
            f"got lon = {lon}, lat = {lat}"
        )
    return lon, lat


_Reader = Callable[[Path, Any, str], Condition]
_MATCHES: Mapping[str, _Reader] = {
    "value": _match_value,
    "any": _match_any,
    "except": _match_except,
    "text": _match_text("all"),
    "text_any": _match_text("any"),
    "phrase": _match_text("phrase"),
    "prefix": _match_text("prefix"),
    "substring": _match_text("substring"),
}
FIELD_KINDS: Mapping[str, _Reader] = {
    "match": _match,
    "range": _range,
    "geo_bounding_box": _geo_box,
    "geo_radius": _geo_radius,
    "geo_polygon": _geo_polygon,
    "values_count": _values_count,
    "is_empty": _is_empty,
    "is_null": _is_null,
}
