"""Conditions on one field: numbers keep their value, shapes are told apart, places are named."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.conditions import read_field, read_path
from palimpsest.index import DatetimeRange, Filter, GeoPolygon, IsNull, Match, Range

CORNERS = [(0, 0), (0, 1), (1, 1), (0, 0)]


def ring(*corners: tuple[float, float]) -> dict[str, Any]:
    return {"points": [{"lon": lon, "lat": lat} for lon, lat in corners]}


def read(**asked: Any) -> Any:
    return read_field({"key": "\u00e9", **asked}, "must[0]")


def test_integers_are_not_rounded() -> None:
    assert read(match={"value": 2**53 + 1}) == Match(("é",), (2**53 + 1,))
    found = read(range={"gte": 2**53 + 1, "lt": 0.5})
    assert found == Range(("é",), gte=2**53 + 1, lt=0.5)
    assert type(found.gte) is int


def test_true_is_no_number() -> None:
    (value,) = read(match={"value": True}).values
    assert value is True
    for asked in ({"range": {"gt": True}}, {"values_count": {"gt": False}}):
        with pytest.raises(Refusal, match="got True|got False"):
            read(**asked)
    with pytest.raises(Refusal, match="only strings or only integers"):
        read(match={"any": [1, True]})


def test_bounds_are_of_one_kind() -> None:
    assert isinstance(read(range={"gt": "2024-01-31"}), DatetimeRange)
    with pytest.raises(Refusal, match="all numbers or all datetimes"):
        read(range={"gt": "2024-01-31", "lt": 5})
    with pytest.raises(Refusal, match="double precision"):
        read(range={"gt": 10**400})


def test_what_is_not_so_is_the_opposite() -> None:
    assert read(is_null=True) == IsNull(("é",))
    assert read(is_null=False) == Filter(must_not=(IsNull(("é",)),))


def test_several_kinds_are_one_of_them() -> None:
    found = read(match={"value": 1}, range={"gt": 5})
    assert found == Filter(should=(Match(("é",), (1,)), Range(("é",), gt=5)))
    with pytest.raises(Refusal, match="`is_null` beside `match`"):
        read(match={"value": 1}, is_null=True)


def test_polygons_are_closed_and_on_earth() -> None:
    found = read(geo_polygon={"exterior": ring(*CORNERS), "interiors": [ring(*CORNERS)]})
    assert found == GeoPolygon(("é",), tuple(CORNERS), (tuple(CORNERS),))
    for corners, text in (
        (CORNERS[:3], "at least 4 points"),
        ([*CORNERS[:3], (0, 1e-9)], "the last the same as the first"),
        ([(180.5, 0), *CORNERS[1:3], (180.5, 0)], "lon within"),
    ):
        with pytest.raises(Refusal, match=text):
            read(geo_polygon={"exterior": ring(*corners)})


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({}, 422, "At least one field condition"),
        ({"match": None}, 422, "At least one field condition"),
        ({"match": {}}, 400, "must[0].match: expected exactly one of"),
        ({"match": {"value": 1, "text": "a"}}, 400, "got `value`, `text`"),
        ({"match": {"value": 1.0}}, 400, "must[0].match.value"),
        ({"geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": -1}}, 422, "radius"),
        ({"maatch": {"value": 1}}, 400, "unknown field `maatch`"),
    ],
)
def test_what_is_wrong_is_named(asked: dict[str, Any], status: int, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(**asked)
    assert refused.value.status == status
    assert text in refused.value.text


def test_a_key_is_a_path() -> None:
    assert read_path('"a.b".c[0]', "key") == ("a.b", "c", 0)
    with pytest.raises(Refusal, match="key: "):
        read_path("a..b", "key")
