"""Compiled filters against the local mode of ``qdrant_client``, the executable reference."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client.local import payload_filters

from palimpsest.index.filters.decoding import payload_decoder
from palimpsest.index.filters.expression import Filter
from palimpsest.index.filters.matching import Facts, compile_filter
from palimpsest.index.types import PointId
from tests.unit.filters import strategies as draw
from tests.unit.filters.models import model_id, to_model

_points = st.tuples(draw.ids, draw.payloads, st.frozensets(st.sampled_from(draw.NAMES)))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(draw.filters, st.lists(_points, min_size=1, max_size=5))
def test_filters_pass_the_points_that_the_reference_passes(
    filter: Filter, points: list[tuple[PointId, dict[str, Any], frozenset[str]]]
) -> None:
    model = to_model(filter)
    check, decode = compile_filter(filter), payload_decoder(filter)
    for point_id, payload, names in points:
        expected = payload_filters.check_filter(
            model, payload, model_id(point_id), dict.fromkeys(names, True)
        )
        assert check(Facts(point_id, payload, names)) is expected
        stored = json.dumps(payload).encode()
        assert check(Facts(point_id, decode(stored), names)) is expected


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(draw.fields.flatmap(lambda each: st.tuples(st.just(each), draw.payload_for(each))))
def test_conditions_hold_where_the_reference_says(drawn: tuple[Any, dict[str, Any]]) -> None:
    condition, payload = drawn
    expected = payload_filters.check_filter(to_model(Filter(must=(condition,))), payload, 1, {})
    assert compile_filter(Filter(must=(condition,)))(Facts(1, payload)) is expected
