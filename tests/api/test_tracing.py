"""Requests are found again: by their ids in replies and in the log, by their traces, when slow."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.api.replies import result
from tests.api.served import Server

PETS = {"vectors": {"size": 4, "distance": "Euclid"}}
POINTS = {"points": [{"id": 1, "vector": [1, 0, 0, 0], "payload": {"secret": "tabby"}}]}
QUERY = {"query": [0.123456, 0, 0, 0], "limit": 1}
QUERY_ROUTE = "/collections/{collection_name}/points/query"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_reply_has_the_id_that_its_request_brings(http: httpx.Client, collection: str) -> None:
    headers = {"x-request-id": "mine-1"}
    path = f"/collections/{collection}"
    short = http.post(f"{path}/points/query", json={"query": [1, 0, 0]}, headers=headers)
    for reply in (
        short,
        http.get(path, headers=headers),
        http.get("/collections/nowhere", headers=headers),
        http.post(f"{path}/points/query", content=b"{", headers=headers),
        http.get("/nothing/of/ours", headers=headers),
        http.get("/readyz", headers=headers),
    ):
        assert reply.headers.get_list("x-request-id") == ["mine-1"]
    assert short.status_code == 200 and result(short) == {"points": []}


def test_ids_of_short_queries_do_not_mix(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points/query"
    for number in range(5):
        for given in (f"id-{number}", None):
            headers = {} if given is None else {"x-request-id": given}
            reply = http.post(path, json={"query": [1, 0, 0]}, headers=headers)
            assert reply.headers.get("x-request-id") == given  # nothing is logged of a short one
            assert result(reply) == {"points": []}


def test_errors_and_whatever_is_not_short_have_an_id_of_their_own(http: httpx.Client) -> None:
    replies = [http.get("/collections/nowhere"), http.get("/collections"), http.get("/nowhere")]
    ids = [reply.headers["x-request-id"] for reply in replies]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("given", ["a b", "x" * 129, 'a"b'])
def test_an_id_that_is_not_sane_is_replaced(http: httpx.Client, given: str) -> None:
    reply = http.get("/collections", headers={"x-request-id": given})
    assert reply.headers["x-request-id"] != given


class Logging:
    """A server of its own whose log is read once it has ended."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.server = Server(folder / "data", stderr=log.fileno(), **settings)
        self.server.wait_until_ready()

    def lines(self) -> list[str]:
        """End the server; return the lines of its log."""
        self.server.process.terminate()
        assert self.server.process.wait(30) == 0
        return self._log.read_text().splitlines()


@contextmanager
def logging_to(folder: Path, **settings: str) -> Iterator[Logging]:
    logging_one = Logging(folder, **settings)
    try:
        yield logging_one
    finally:
        logging_one.server.process.kill()


def ask(url: str, **headers: str) -> None:
    """Make a collection, write to it and query it, the short way and the long."""
    with httpx.Client(base_url=url, headers=headers, timeout=30) as http:
        result(http.put("/collections/pets", json=PETS))
        result(http.put("/collections/pets/points?wait=true", json=POINTS))
        result(http.post("/collections/pets/points/query", json=QUERY))
        result(http.post("/collections/pets/points/query?timeout=9", json=QUERY))


def test_slow_requests_are_logged_with_their_stages_and_nothing_of_their_data(
    tmp_path: Path,
) -> None:
    settings = {"PALIMPSEST_SLOW_SECONDS": "0.000001", "PALIMPSEST_LOG_FORMAT": "json"}
    with logging_to(tmp_path, **settings) as running:
        ask(running.server.url, **{"x-request-id": "r-9"})
        lines = [json.loads(line) for line in running.lines()]
    slow = [line for line in lines if line["logger"] == "palimpsest.slow" and line["collection"]]
    collection = "/collections/{collection_name}"
    assert [(one["method"], one["route"]) for one in slow] == [
        ("PUT", collection),
        ("PUT", f"{collection}/points"),
        ("POST", QUERY_ROUTE),
        ("POST", QUERY_ROUTE),
    ]
    assert {one["collection"] for one in slow} == {"pets"}
    # The short way has no trace, and what took long in it was no stage.
    assert [one.get("request_id") for one in slow] == ["r-9", "r-9", None, "r-9"]
    assert list(slow[1]["stages"]) == ["body", "parse", "serialise"]
    assert {"body", "plan", "merge", "serialise"} <= slow[3]["stages"].keys()
    for one in slow:
        assert 0 < sum(one["stages"].values()) <= one["seconds"] or not one["stages"]
    assert not any(word in json.dumps(lines) for word in ("tabby", "0.123456", "timeout=9"))


def test_a_log_for_people_says_which_request_failed(tmp_path: Path) -> None:
    with logging_to(tmp_path, PALIMPSEST_SLOW_SECONDS="0.000001") as running:
        httpx.get(f"{running.server.url}/collections/nowhere", headers={"x-request-id": "r-3"})
        lines = running.lines()
    assert any("'nowhere' took" in line and line.endswith("[request r-3]") for line in lines)


class Collector(HTTPServer):
    """Takes spans as a collector does, over HTTP on a free port."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.spans: list[Span] = []
        self.services: set[str] = set()


class Taking(BaseHTTPRequestHandler):
    """One export."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        assert isinstance(self.server, Collector)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.server.services.add(names["service.name"])
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        logging.debug(format, *args)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as taking:
        thread = threading.Thread(target=taking.serve_forever)
        thread.start()
        yield taking
        taking.shutdown()
        thread.join()


def test_sampled_requests_are_told_to_a_collector(tmp_path: Path, collector: Collector) -> None:
    settings = {
        "PALIMPSEST_TRACE_RATIO": "0.000001",  # of those that are of no trace: none
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
    }
    with logging_to(tmp_path, **settings) as running:
        ask(running.server.url, traceparent=f"00-{TRACE}-{SPAN}-01")
        ask_again = {"json": QUERY, "headers": {"traceparent": f"00-{TRACE[::-1]}-{SPAN}-00"}}
        result(httpx.post(f"{running.server.url}/collections/pets/points/query", **ask_again))
        result(httpx.post(f"{running.server.url}/collections/pets/points/query", json=QUERY))
        assert not [line for line in running.lines() if "ERROR" in line]
    assert collector.services == {"palimpsest"}
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    whole = [span for span in collector.spans if span.parent_span_id.hex() == SPAN]
    assert [span.name for span in whole] == [
        "PUT /collections/{collection_name}",
        "PUT /collections/{collection_name}/points",
        f"POST {QUERY_ROUTE}",
        f"POST {QUERY_ROUTE}",
    ]
    for query in whole[2:]:
        inside = [one.name for one in collector.spans if one.parent_span_id == query.span_id]
        assert {"body", "search", "serialise"} <= set(inside)


def test_all_requests_are_told_where_the_share_is_one(tmp_path: Path, collector: Collector) -> None:
    settings = {
        "PALIMPSEST_TRACE_RATIO": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_SERVICE_NAME": "pets",
    }
    with logging_to(tmp_path, **settings) as running:
        ask(running.server.url)
        running.lines()
    assert collector.services == {"pets"}
    names = [span.name for span in collector.spans if not span.parent_span_id]
    assert names.count(f"POST {QUERY_ROUTE}") == 2


def test_a_collector_that_is_not_there_holds_up_neither_requests_nor_the_end(
    tmp_path: Path,
) -> None:
    settings = {
        "PALIMPSEST_TRACE_RATIO": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    with logging_to(tmp_path, **settings) as running:
        ask(running.server.url)
        with httpx.Client(base_url=running.server.url) as http:
            for _ in range(200):  # more spans than go at once
                result(http.post("/collections/pets/points/query", json=QUERY))
        running.server.process.terminate()
        try:
            assert running.server.process.wait(10) == 0  # what an engine of containers waits for
        except subprocess.TimeoutExpired:
            pytest.fail("the end waits for the collector")
