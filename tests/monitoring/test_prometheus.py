"""A real Prometheus takes what the server tells, and all rules can be evaluated on it."""

from __future__ import annotations

from tests.monitoring.prometheus import Prometheus


def test_it_scrapes_the_server(prometheus: Prometheus) -> None:
    assert prometheus.values('up{job="palimpsest"}') == [1.0]
    assert prometheus.values("scrape_samples_scraped > 500")


def test_rules_can_be_evaluated_and_none_fires_on_a_server_at_work(
    prometheus: Prometheus,
) -> None:
    rules = prometheus.rules()
    assert len(rules) > 40
    assert {rule["name"]: rule["lastError"] for rule in rules if rule.get("lastError")} == {}
    assert {rule["health"] for rule in rules} == {"ok"}
    firing = [rule["name"] for rule in rules if rule.get("state") == "firing"]
    assert firing == []


def test_buckets_of_latency_have_traces(prometheus: Prometheus) -> None:
    found = prometheus.exemplars("palimpsest_http_request_duration_seconds_bucket")
    traces = {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}
    assert traces == {"0af7651916cd43dd8448eb211c80319c"}
