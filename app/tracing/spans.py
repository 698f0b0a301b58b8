"""Spans of sampled requests, sent by OpenTelemetry's exporter over HTTP (OTLP).

The SDK is an extra (``otel``) and is imported only where requests are sampled. A request that says
to be part of a trace is sampled as that trace is; of the others a share is, drawn when they come. A
sampled request has one span, and one inside for each stage. The engine counts what its stages took
and not when: inside the span of a search they stand one after another, as long as they were.

Where spans go, and by which service name, the exporter reads from the environment:
``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Mapping
from time import perf_counter, time_ns
from typing import Any

from palimpsest.app.release import RELEASE
from palimpsest.app.settings import Misconfigured
from palimpsest.app.tracing.ids import Parent
from palimpsest.app.tracing.trace import Searched, Trace

log = logging.getLogger("palimpsest")

LAST_WORDS = 2.0  # seconds that the end of the server waits for a collector
SYSTEM = "palimpsest"
PREFIX = "/collections/{collection_name}/"


class Tracing:
    """The sampled requests of one server. Raises Misconfigured when the extra is not installed.

    Args:
        ratio: the share of requests that are sampled of those that are part of no trace yet.
        exporter: what takes the spans, OTLP over HTTP where none is given.
    """

    def __init__(self, ratio: float, exporter: Any = None) -> None:
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        except ImportError as error:
            raise Misconfigured(
                f"PALIMPSEST_TRACE_RATIO: spans need the extra `otel` ({error.name} is missing): "
                "pip install 'palimpsest-server[otel]', or set it to 0"
            ) from None
        self._api = trace
        self._ratio = ratio
        self._draw = random.Random().random  # no seed: servers that start together draw apart
        about = {"service.version": RELEASE}
        if "OTEL_SERVICE_NAME" not in os.environ:
            about["service.name"] = SYSTEM
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(about), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SYSTEM, RELEASE)

    def samples(self, parent: Parent | None) -> bool:
        """Tell whether a request that comes now is to have spans."""
        return self._draw() < self._ratio if parent is None else parent.is_sampled

    def begin(self, trace: Trace, method: str, drawn: bool | None = None) -> None:
        """Begin the span of a request that is sampled, as was ``drawn`` before or is drawn now."""
        if not (self.samples(trace.parent) if drawn is None else drawn):
            return
        context = None
        if trace.parent is not None:
            api = self._api
            remote = api.SpanContext(
                int(trace.parent.trace_id, 16),
                int(trace.parent.span_id, 16),
                is_remote=True,
                trace_flags=api.TraceFlags(api.TraceFlags.SAMPLED),
            )
            context = api.set_span_in_context(api.NonRecordingSpan(remote))
        trace.span = self._tracer.start_span(
            method, context, self._api.SpanKind.SERVER, start_time=_wall(trace.began)
        )

    def end(
        self, trace: Trace, method: str, route: str, collection: str | None, status: int
    ) -> None:
        """End the span of a request that is answered, with those of its stages inside."""
        span = trace.span
        if span is None:
            return
        span.update_name(f"{method} {route}")
        operation = f"{method} {route.removeprefix(PREFIX)}"
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "db.system.name": SYSTEM,
                "db.operation.name": operation,
                "palimpsest.request_id": trace.request_id,
            }
        )
        if collection is not None:
            span.set_attribute("db.collection.name", collection)
        if status >= 500:
            span.set_status(self._api.StatusCode.ERROR)
            span.set_attribute("error.type", str(status))
        inside = self._api.set_span_in_context(span)
        for stage in trace.stages:
            self._tell(inside, stage.name, stage.began, stage.seconds)
        for search in trace.searches:
            self._tell_search(inside, search)
        span.end()

    def close(self) -> None:
        """Send what is not sent yet, as long as somebody takes it soon; the rest is lost."""
        # The exporter tries again for as long as it likes where no collector answers.
        ending = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(LAST_WORDS)
        if ending.is_alive():
            log.warning("spans are lost: no collector took them within %.0f s", LAST_WORDS)

    def _tell(
        self,
        inside: Any,
        name: str,
        began: float,
        seconds: float,
        attributes: Mapping[str, Any] | None = None,
    ) -> Any:
        started = _wall(began)
        span = self._tracer.start_span(name, inside, attributes=attributes, start_time=started)
        span.end(started + round(seconds * 1e9))
        return span

    def _tell_search(self, inside: Any, search: Searched) -> None:
        stats = search.stats
        began = search.ended - search.seconds
        attributes = {
            "palimpsest.visited": stats.visited,
            "palimpsest.scored": stats.scored,
            "palimpsest.rescored": stats.rescored,
            "palimpsest.segments": stats.segments,
            "palimpsest.versions": [
                one.version if one.adapter is None else f"{one.version} by {one.adapter}"
                for one in stats.versions
            ],
        }
        span = self._tell(inside, "search", began, search.seconds, attributes)
        within = self._api.set_span_in_context(span)
        for name, seconds in stats.seconds.items():
            self._tell(within, name, began, seconds)
            began += seconds


def _wall(moment: float) -> int:
    """Return what time it was, in nanoseconds, at a moment of ``perf_counter``."""
    return time_ns() - round((perf_counter() - moment) * 1e9)
