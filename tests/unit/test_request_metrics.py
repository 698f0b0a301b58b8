"""Requests are counted by route and status once they come, with their times and sizes."""

from __future__ import annotations

from palimpsest.app.request_metrics import Requests


def test_nothing_came_nothing_is_told() -> None:
    assert not [sample for family in Requests().collect() for sample in family.samples]


def test_requests_by_route_and_status() -> None:
    requests = Requests()
    requests.add(("GET", "/a", 200), 0.00048828125, 0, 300)
    requests.add(("GET", "/a", 200), 0.25, 0, 5_000_000, trace="c" * 32)
    requests.add(("PUT", "/a", 429), 0.001, 700, 90)
    found = {
        (sample.name.removeprefix("palimpsest_http_"), *sample.labels.values()): sample
        for family in requests.collect()
        for sample in family.samples
    }
    value = {key: sample.value for key, sample in found.items()}
    assert value["requests_total", "GET", "/a", "200"] == 2
    assert value["errors_total", "PUT", "/a", "429"] == 1
    assert ("errors_total", "GET", "/a", "200") not in value
    assert value["request_duration_seconds_sum", "GET", "/a", "200"] == 0.25048828125
    assert value["request_duration_seconds_bucket", "GET", "/a", "200", "0.0005"] == 1
    assert value["request_size_bytes_bucket", "PUT", "/a", "429", "256.0"] == 0
    assert value["request_size_bytes_bucket", "PUT", "/a", "429", "1024.0"] == 1
    assert value["response_size_bytes_sum", "GET", "/a", "200"] == 5_000_300
    example = found["request_duration_seconds_bucket", "GET", "/a", "200", "0.25"].exemplar
    assert example is not None and example.labels == {"trace_id": "c" * 32}
    assert [*requests.replies()] == [
        ("GET", "/a", 200, 2, 0.25048828125),
        ("PUT", "/a", 429, 1, 0.001),
    ]
