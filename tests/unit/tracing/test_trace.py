"""What is kept of a request while it is answered."""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

from palimpsest.app.tracing.trace import SERIALISE, Trace
from palimpsest.index import SearchStats

PARENT = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")


def test_a_request_keeps_the_id_that_it_brings_and_is_given_one_otherwise() -> None:
    assert Trace([(b"x-request-id", b"mine")], 0.0).request_id == "mine"
    assert Trace([], 0.0).request_id != Trace([], 0.0).request_id


def test_a_trace_that_is_not_kept_is_told_of_all_the_same() -> None:
    assert Trace([PARENT], 0.0).trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert Trace([], 0.0).trace_id is None


def test_stages_are_added_up_by_name_in_their_order_also_where_they_fail() -> None:
    trace = Trace([], perf_counter())
    with trace.stage("parse"):
        pass
    with trace.stage(SERIALISE):
        pass
    with suppress(ValueError), trace.stage("parse"):
        raise ValueError
    trace.searched(SearchStats(seconds={"plan": 0.25, "traverse": 0.5}), 0.75)
    trace.searched(SearchStats(seconds={"traverse": 0.5}), 0.5)
    seconds = trace.seconds()
    assert list(seconds) == ["parse", "plan", "traverse", SERIALISE]
    assert (seconds["plan"], seconds["traverse"]) == (0.25, 1.0)
    assert seconds["parse"] == trace.stages[0].seconds + trace.stages[2].seconds
