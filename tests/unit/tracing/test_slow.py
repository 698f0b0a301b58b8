"""The log of slow requests."""

from __future__ import annotations

import logging
from time import perf_counter

import pytest

from palimpsest.app.tracing.logs import FIELDS
from palimpsest.app.tracing.slow import LINES, SlowLog
from palimpsest.app.tracing.trace import Trace
from palimpsest.index import SearchStats

ROUTE = "/collections/{collection_name}/points/query"


def test_nothing_is_slow_unless_a_limit_is_set() -> None:
    assert SlowLog(0).from_seconds == float("inf")
    assert SlowLog(0.5).from_seconds == 0.5


def test_a_line_says_what_took_how_long(caplog: pytest.LogCaptureFixture) -> None:
    trace = Trace([], perf_counter())
    trace.searched(SearchStats(seconds={"plan": 0.001, "traverse": 1.2}), 1.201)
    SlowLog(1.0).note(trace, "POST", ROUTE, "docs\nfaked", 200, 1.25)
    (told,) = caplog.records
    assert told.levelno == logging.WARNING
    assert told.getMessage() == (
        f"slow: POST {ROUTE} of 'docs\\nfaked' took 1250.0 ms, status 200 "
        "(ms: plan 1.0, traverse 1200.0)"
    )
    assert getattr(told, FIELDS) == {
        "method": "POST",
        "route": ROUTE,
        "collection": "docs\nfaked",
        "status": 200,
        "seconds": 1.25,
        "stages": {"plan": 0.001, "traverse": 1.2},
        "untold": 0,
    }


def test_a_long_name_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    SlowLog(1.0).note(None, "GET", ROUTE, "x" * 9000, 404, 2.0)
    assert len(caplog.text) < 600


def test_where_everything_is_slow_lines_are_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("palimpsest.app.tracing.slow.monotonic", lambda: now)
    slow = SlowLog(1.0)
    for _ in range(LINES + 7):
        slow.note(None, "GET", ROUTE, None, 200, 2.0)
    assert len(caplog.records) == LINES
    now = 101.5
    slow.note(None, "GET", ROUTE, None, 200, 2.0)
    slow.note(None, "GET", ROUTE, None, 200, 2.0)
    assert caplog.records[-2].getMessage().endswith("; 7 more were slow")
    assert "more were slow" not in caplog.records[-1].getMessage()
