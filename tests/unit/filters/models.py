"""Filters as the models of ``qdrant_client``, to ask its local mode."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from qdrant_client import models

from palimpsest.index.filters.expression import (
    EACH,
    Condition,
    DatetimeRange,
    Filter,
    Geo,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    HasId,
    HasVector,
    IsEmpty,
    IsNull,
    Match,
    MatchExcept,
    MatchText,
    Nested,
    Path,
    Range,
    Slice,
    ValuesCount,
)
from palimpsest.index.types import PointId
from tests.keys import quoted

BOUNDS = ("gt", "gte", "lt", "lte")
TEXT_MATCHES = {
    "all": lambda text: models.MatchText(text=text),
    "any": lambda text: models.MatchTextAny(text_any=text),
    "phrase": lambda text: models.MatchPhrase(phrase=text),
    "prefix": lambda text: models.MatchPrefix(prefix=text),
    "substring": lambda text: models.MatchSubstring(substring=text),
}


def to_model(condition: Condition) -> Any:
    """Return the model of a condition or filter."""
    match condition:
        case Filter():
            return _filter(condition)
        case Nested(path, inner):
            nested = models.Nested(key=path_text(path), filter=_filter(inner))
            return models.NestedCondition(nested=nested)
        case HasId(ids):
            return models.HasIdCondition(has_id=[model_id(each) for each in ids])
        case HasVector(name):
            return models.HasVectorCondition(has_vector=name)
        case Slice(total, index):
            return models.SliceCondition(slice=models.Slice(total=total, index=index))
        case IsEmpty(path):
            field = models.PayloadField(key=path_text(path))
            return models.IsEmptyCondition(is_empty=field)
        case IsNull(path):
            return models.IsNullCondition(is_null=models.PayloadField(key=path_text(path)))
    return models.FieldCondition(key=path_text(condition.path), **_kind(condition))


def path_text(path: Path) -> str:
    """Return a path as the client writes it: all but the plainest keys in quotes."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, str):
            parts.append("." if parts else "")
            parts.append(step if step.isascii() and step.isalnum() else quoted(step))
        else:
            parts.append("[]" if step is EACH else f"[{step}]")
    return "".join(parts)


def model_id(point_id: PointId) -> int | str:
    """Return an id as the client holds it."""
    return point_id if isinstance(point_id, int) else str(point_id)


def _filter(filter: Filter) -> models.Filter:
    enough = filter.min_should and models.MinShould(
        conditions=_clause(filter.min_should.conditions), min_count=filter.min_should.min_count
    )
    return models.Filter(
        must=_clause(filter.must),
        should=_clause(filter.should),
        must_not=_clause(filter.must_not),
        min_should=enough,
    )


def _clause(conditions: Sequence[Condition] | None) -> list[Any] | None:
    return None if conditions is None else [to_model(each) for each in conditions]


def _kind(condition: Condition) -> dict[str, Any]:
    match condition:
        case Match(values=(value,)):
            return {"match": models.MatchValue(value=value)}
        case Match(values=values):
            return {"match": models.MatchAny(any=list(values))}
        case MatchExcept(values=values):
            return {"match": models.MatchExcept(**{"except": list(values)})}
        case MatchText(text=text, how=how):
            return {"match": TEXT_MATCHES[how](text)}
        case Range():
            # not checked, for that makes floats of all bounds
            no_bounds = dict.fromkeys(BOUNDS)
            return {"range": models.Range.model_construct(**no_bounds | _bounds(condition))}
        case DatetimeRange():
            moments = {name: _moment(bound) for name, bound in _bounds(condition).items()}
            return {"range": models.DatetimeRange(**moments)}
        case ValuesCount():
            return {"values_count": models.ValuesCount(**_bounds(condition))}
    return _geo(condition)


def _geo(condition: Condition) -> dict[str, Any]:
    match condition:
        case GeoBox(_, top_left, bottom_right):
            box = models.GeoBoundingBox(
                top_left=_point(top_left), bottom_right=_point(bottom_right)
            )
            return {"geo_bounding_box": box}
        case GeoRadius(_, center, radius):
            return {"geo_radius": models.GeoRadius(center=_point(center), radius=radius)}
        case GeoPolygon(_, exterior, interiors):
            holes = [_ring(ring) for ring in interiors]
            polygon = models.GeoPolygon(exterior=_ring(exterior), interiors=holes)
            return {"geo_polygon": polygon}
    raise AssertionError(condition)


def _bounds(condition: Any) -> dict[str, Any]:
    bounds = {name: getattr(condition, name) for name in BOUNDS}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _point(geo: Geo) -> models.GeoPoint:
    return models.GeoPoint(lon=geo[0], lat=geo[1])


def _ring(corners: Sequence[Geo]) -> models.GeoLineString:
    return models.GeoLineString(points=[_point(corner) for corner in corners])
