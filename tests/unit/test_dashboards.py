"""Dashboards ask for series that docs/metrics.md tells of, by labels that those series have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.monitoring.panels import DASHBOARDS, filled, load, targets
from tests.monitoring.test_documented import documented
from tests.unit.test_alerts import selectors

RULES = Path(__file__).parents[2] / "docker" / "rules.yml"
ADDED = {"job", "instance", "le"}  # by Prometheus, or of every histogram
PLAIN = re.compile(r"(process|python)_\w+|up|scrape_duration_seconds")
SUFFIX = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of every series, recorded ones included."""
    known = {name: labels | ADDED for name, (_, labels) in documented().items()}
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            asked = [known[base(one.name)] for one in asked_for(rule["expr"])]
            known[rule["record"]] = set.union(*asked)
    return known


def base(name: str) -> str:
    """Return the name of a series without what is the format's of a histogram."""
    return SUFFIX.sub("", name)


def asked_for(expression: str) -> Iterator[Any]:
    return selectors(promql_parser.parse(expression))


def expressions(path: Path) -> Iterator[str]:
    dashboard = load(path)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield filled(
                variable["definition"].removeprefix("label_values(").rsplit(", ", 1)[0], path
            )
    for annotation in dashboard["annotations"]["list"]:
        yield filled(annotation["expr"], path)
    for target in targets(path):
        yield target.expression


def test_there_are_dashboards() -> None:
    assert [path.stem for path in DASHBOARDS] == ["model-upgrade", "search", "service"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_asks_for_what_is_measured(path: Path, labels: dict[str, set[str]]) -> None:
    for expression in expressions(path):
        for one in asked_for(expression):
            if PLAIN.fullmatch(one.name):
                continue
            assert base(one.name) in labels, expression
            matched = {matcher.name for matcher in one.matchers.matchers}
            assert matched <= labels[base(one.name)], expression


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_have_titles_words_and_places_of_their_own(path: Path) -> None:
    panels = load(path)["panels"]
    for key in ("id", "title"):
        assert len({panel[key] for panel in panels}) == len(panels)
    shown = [panel for panel in panels if panel["type"] != "row"]
    assert all(panel["description"] and panel["targets"] for panel in shown)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in shown)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_dashboards_have_names_of_their_own() -> None:
    for key in ("uid", "title"):
        assert len({load(path)[key] for path in DASHBOARDS}) == len(DASHBOARDS)
