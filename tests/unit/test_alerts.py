"""Alerts ask for series that a server has, by labels and values that those series have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from palimpsest.app.main import create_app
from palimpsest.app.settings import Settings
from palimpsest.index import CollectionConfig, Distance, VectorConfig

FILE = Path(__file__).parents[2] / "docker" / "alerts.yml"
RULES = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
DURATION = re.compile(r"[1-9]\d*(s|m|h|d)")
SCRAPED = {"job", "instance"}  # labels that Prometheus adds

Series = dict[str, dict[str, set[str]]]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """Every label of every series of a server with a collection, and the values it has."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text("k" * 32)
    data = tmp_path_factory.mktemp("measured")
    app: Any = create_app(Settings(data=data, api_key_file=keys))
    app.context.open()
    app.context.database.create("one", CollectionConfig({"": VectorConfig(3, Distance.DOT)}))
    app.context.metrics.request("GET", "/", 500, 0.1)
    known: Series = {"up": {}}
    try:
        for family in app.app.state.registry.collect():
            for sample in family.samples:
                labels = known.setdefault(sample.name, defaultdict(set))
                for label, value in sample.labels.items():
                    labels[label].add(value)
    finally:
        app.context.close()
    return known


def selectors(node: Any) -> Iterator[Any]:
    """Yield what an expression asks for."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector", "param"):
        below = getattr(node, name, None)
        for each in below if isinstance(below, list) else [below]:
            if isinstance(each, promql_parser.Expr) or hasattr(each, "prettify"):
                yield from selectors(each)


def test_every_kind_of_trouble_has_an_alert_of_its_own() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    asked = FILE.read_text()
    for metric in ("up", "ready", "damaged", "collection_status", "collection_refuses_writes") + (
        "http_errors_total",
        "disk_free_bytes",
        "auth_failures_total",
        "memory_counted_bytes",
        "memory_limit_bytes",
    ):
        assert metric in asked


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_the_shape_of_one(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Palimpsest[A-Z]\w+", rule["alert"])
    assert DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "description"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_measured(rule: dict[str, Any], series: Series) -> None:
    found = list(selectors(promql_parser.parse(rule["expr"])))
    assert found
    assert len(found) == len(re.findall(r"\b(?:palimpsest|process)_\w+|\bup\b", rule["expr"]))
    labels = set(SCRAPED)
    for one in found:
        assert one.name in series, one.name
        labels |= series[one.name].keys()
        for matcher in one.matchers.matchers:
            if matcher.name in SCRAPED:
                continue
            values = series[one.name][matcher.name]
            pattern = matcher.value if str(matcher.op).endswith("Re") else re.escape(matcher.value)
            assert any(re.fullmatch(pattern, value) for value in values), (one.name, matcher)
    for text in rule["annotations"].values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels
