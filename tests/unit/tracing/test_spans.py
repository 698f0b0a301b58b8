"""Spans of sampled requests."""

from __future__ import annotations

import sys
from time import perf_counter

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from palimpsest.app.settings import Misconfigured
from palimpsest.app.tracing.ids import Parent
from palimpsest.app.tracing.spans import Tracing
from palimpsest.app.tracing.trace import Trace
from palimpsest.index import SearchStats, VersionStats

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ROUTE = "/collections/{collection_name}/points/query"


def told(trace: Trace, status: int = 200, collection: str | None = "docs") -> list[ReadableSpan]:
    """Return the spans of a request, in the order in which they began."""
    kept = InMemorySpanExporter()
    tracing = Tracing(1.0, kept)
    tracing.begin(trace, "POST")
    tracing.end(trace, "POST", ROUTE, collection, status)
    tracing.close()
    return sorted(kept.get_finished_spans(), key=lambda span: span.start_time or 0)


def test_a_request_is_a_span_with_one_for_each_stage() -> None:
    trace = Trace([(b"x-request-id", b"r-1")], perf_counter() - 1.0)
    with trace.stage("parse"):
        pass
    stats = SearchStats(
        visited=9,
        seconds={"plan": 0.125, "traverse": 0.25},
        versions=[
            VersionStats("v1", "linear", "quantile", 5, 2),
            VersionStats("v2", None, None, 5, 3),
        ],
    )
    trace.searched(stats, 0.375)
    spans = {span.name: span for span in told(trace)}
    assert spans.keys() == {f"POST {ROUTE}", "parse", "search", "plan", "traverse"}
    whole, search = spans[f"POST {ROUTE}"], spans["search"]
    assert whole.parent is None
    for name, parent in (
        ("parse", whole),
        ("search", whole),
        ("plan", search),
        ("traverse", search),
    ):
        assert spans[name].parent is not None
        assert spans[name].parent.span_id == parent.context.span_id  # type: ignore[union-attr]
    lasted = {n: (s.end_time or 0) - (s.start_time or 0) for n, s in spans.items()}
    assert (lasted["plan"], lasted["traverse"]) == (125_000_000, 250_000_000)
    assert lasted[f"POST {ROUTE}"] >= 1_000_000_000
    # one after another, inside the search
    assert abs((spans["traverse"].start_time or 0) - (spans["plan"].end_time or 0)) < 1_000_000
    assert dict(whole.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": ROUTE,
        "http.response.status_code": 200,
        "db.system.name": "palimpsest",
        "db.operation.name": "POST points/query",
        "db.collection.name": "docs",
        "palimpsest.request_id": "r-1",
    }
    assert (search.attributes or {})["palimpsest.versions"] == ("v1 by linear", "v2")
    assert (search.attributes or {})["palimpsest.visited"] == 9


def test_a_request_of_a_trace_is_part_of_it() -> None:
    trace = Trace([(b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())], perf_counter())
    (span,) = told(trace)
    assert f"{span.context.trace_id:032x}" == TRACE == trace.trace_id
    assert span.parent is not None and f"{span.parent.span_id:016x}" == SPAN


@pytest.mark.parametrize(("status", "failed"), [(200, False), (404, False), (503, True)])
def test_what_the_server_failed_at_is_an_error(status: int, failed: bool) -> None:
    (span,) = told(Trace([], perf_counter()), status, None)
    assert (not span.status.is_ok) == failed
    assert "db.collection.name" not in (span.attributes or {})


def test_a_share_is_drawn_of_those_that_are_of_no_trace() -> None:
    tracing = Tracing(0.25, InMemorySpanExporter())
    drawn = sum(tracing.samples(None) for _ in range(4000))
    assert 800 < drawn < 1200  # six standard deviations
    assert tracing.samples(Parent(TRACE, SPAN, True))
    assert not tracing.samples(Parent(TRACE, SPAN, False))
    tracing.close()


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(Misconfigured, match=r"palimpsest-server\[otel\]"):
        Tracing(1.0)
