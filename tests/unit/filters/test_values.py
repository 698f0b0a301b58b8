from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client.local import datetime_utils
from qdrant_client.local.payload_filters import nested_filter_values
from qdrant_client.local.payload_value_extractor import value_by_key

from palimpsest.index.filters.expression import EACH, Path
from palimpsest.index.filters.values import elements_at, parse_datetime, stored_at, values_at
from tests.unit.filters import strategies as draw
from tests.unit.filters.models import path_text

SECOND = 1_000_000
NEW_YEAR = 1_704_067_200 * SECOND  # 2024-01-01T00:00:00Z

DATES = {
    "2024-01-01": NEW_YEAR,
    "2024-01-01T00:00": NEW_YEAR,
    "2024-01-01T00:00:00": NEW_YEAR,
    " 2024-01-01 00:00:00Z": NEW_YEAR,
    "2024-01-01t00:00:00z": NEW_YEAR,
    "2024-01-01 00:00:00 UTC": NEW_YEAR,
    "2024-01-01T02:00:00+02:00": NEW_YEAR,
    "2024-01-01T02:00:00 +0200": NEW_YEAR,
    "2023-12-31T14:30:00-09:30": NEW_YEAR,
    "2024-01-01T01:00:00+01": NEW_YEAR,
    "2024-01-01T00:00:00.5Z": NEW_YEAR + SECOND // 2,
    "2024-01-01T00:00:00.0000019Z": NEW_YEAR + 1,
    "1969-12-31T23:59:59.999999Z": -1,
    "0001-01-01T00:00:00+14:00": -(719_162 * 24 + 14) * 3600 * SECOND,
}
NO_DATES = (
    "", "now", "2024", "2024-1-1", "2024-01", "20240101", "2024-W01-1", "2024-02-30", "2024-13-01",
    "2024-01-01T", "2024-01-01T12", "2024-01-01T24:00:00", "2024-01-01T12:60", "2024-01-01T12:00Z",
    "2024-01-01Z", "2024-01-01T12:00:00UTC", "2024-01-01T12:00:00+24:00", "2024-01-01T12:00:00 ",
    "2024-01-01T12:00:60Z", "2024-01-01T12:00:00,5", "٢٠٢٤-01-01", "10000-01-01",
)  # fmt: skip


@pytest.mark.parametrize("text", DATES)
def test_dates_are_microseconds(text: str) -> None:
    assert parse_datetime(text) == DATES[text]


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_datetime(text) is None


_date = st.dates().map(str)
_clock = st.times().map(lambda time: time.isoformat())
_zone = st.sampled_from(("", "Z", "z", "+01:00", "-0930", "+14", " +01:00", " UTC", "+1", "UTC"))


@settings(max_examples=300, deadline=None)
@given(st.builds("{}{}{}{}".format, _date, st.sampled_from("T _"), _clock, _zone))
def test_the_reference_reads_the_same_dates(text: str) -> None:
    expected = datetime_utils.parse(text)
    moment = parse_datetime(text)
    if expected is None:
        assert moment is None
    else:
        assert moment == (expected - datetime_utils.parse("1970-01-01")) // _MICROSECOND


_MICROSECOND = datetime_utils.parse("1970-01-01T00:00:00.000001") - datetime_utils.parse(
    "1970-01-01"
)


@settings(max_examples=500, deadline=None)
@given(draw.payloads, draw.paths)
def test_the_reference_finds_the_same_values(payload: dict[str, Any], path: Path) -> None:
    key = path_text(path)
    assert values_at(payload, path) == (value_by_key(payload, key) or [])
    assert stored_at(payload, path) == (value_by_key(payload, key, flat=False) or [])
    assert elements_at(payload, path) == nested_filter_values(payload, key)


def test_brackets_after_a_nested_key_change_nothing() -> None:
    payload = {"a": [{"x": 1}, 2, [{"x": 3}]]}
    assert elements_at(payload, ("a",)) == elements_at(payload, ("a", EACH)) == [{"x": 1}]
