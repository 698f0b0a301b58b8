"""Rules ask for series that a server has, by labels and values that those series have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import promql_parser
import pytest
import yaml

from palimpsest.app.main import create_app
from palimpsest.app.settings import Settings
from palimpsest.index import (
    CollectionConfig,
    Distance,
    SearchRequest,
    SearchStats,
    VectorConfig,
    VersionStats,
)
from tests.points import batch_of

DOCKER = Path(__file__).parents[2] / "docker"
FILE = DOCKER / "alerts.yml"


def rules_of(file: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load(file.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RULES = rules_of(FILE)
RECORDED = rules_of(DOCKER / "rules.yml")
NAME = re.compile(r"\b(?:\w+:)?(?:palimpsest|process|scrape)_\w+(?::\w+)?|\bup\b")
DURATION = re.compile(r"[1-9]\d*(s|m|h|d)")
SCRAPED = {"job", "instance"}  # labels that Prometheus adds
OWN = ("up", "scrape_duration_seconds")  # series of its own

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
    app.context.metrics.request(("GET", "/", 500), 0.1)
    app.context.metrics.request(("GET", "/", 200), 0.1)
    one = app.context.database.get("one")
    one.view.vectors[0].recent.samples.add(1.0, filtered=False)
    one.upsert(batch_of([1], np.ones((1, 3), np.float32))).result()
    request = SearchRequest(np.ones(3, np.float32))
    app.context.metrics.search(one, request, SearchStats(), 0.1, 1)
    with suppress(ZeroDivisionError), one._parts.jobs.begin("fit", "x", kept=False):
        raise ZeroDivisionError
    bridged = [VersionStats("v2", None, None, 1, 1), VersionStats("v1", "ridge", "raw", 1, 1)]
    app.context.metrics.bridges.searched("one", bridged)
    known: Series = {name: {} for name in OWN}
    try:
        for family in app.app.state.registry.collect():
            for sample in family.samples:
                labels = known.setdefault(sample.name, defaultdict(set))
                for label, value in sample.labels.items():
                    labels[label].add(value)
            if family.name == "palimpsest_bridge_overlap_ratio":  # nothing is fitted here
                known[family.name] = dict.fromkeys(
                    ("collection", "vector", "from_version", "to_version"), {"x"}
                )
    finally:
        app.context.close()
    for rule in RECORDED:
        known[rule["record"]] = {label: {"x"} for label in labels_of(rule["expr"], known)}
    return known


def labels_of(expression: str, known: Series) -> set[str]:
    """Return the labels that an expression leaves: those it sums by, or all."""
    by = re.findall(r"\bby \(([^)]*)\)", expression)
    if by:
        return {label.strip() for each in by for label in each.split(",")} - SCRAPED - {"le"}
    return {label for name in NAME.findall(expression) for label in known[name]}


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
    asked = FILE.read_text() + (DOCKER / "rules.yml").read_text()
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


@pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])
def test_a_recorded_series_has_the_name_of_one(rule: dict[str, Any]) -> None:
    assert rule.keys() == {"record", "expr"}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)?:palimpsest_[a-z_]+:[a-z]\w+", rule["record"])


@pytest.mark.parametrize("rule", [*RECORDED, *RULES], ids=lambda rule: rule.get("alert", "record"))
def test_a_rule_asks_for_what_is_measured(rule: dict[str, Any], series: Series) -> None:
    found = list(selectors(promql_parser.parse(rule["expr"])))
    assert found
    assert len(found) == len(NAME.findall(rule["expr"]))
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
    for text in rule.get("annotations", {}).values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels
