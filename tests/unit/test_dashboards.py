"""Dashboards ask for series that the server has, by labels that those series have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palimpsest.app.main import create_app
from palimpsest.app.settings import Settings
from palimpsest.index import CollectionConfig, Distance, VectorConfig, VersionStats

DASHBOARDS = sorted((Path(__file__).parents[2] / "docker" / "grafana").glob("*.json"))


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of every series, of those of searches through adapters as well."""
    app: Any = create_app(Settings(data=tmp_path_factory.mktemp("measured")))
    app.context.open()
    app.context.database.create("one", CollectionConfig({"": VectorConfig(3, Distance.DOT)}))
    found = [VersionStats("v2", None, None, 1, 1), VersionStats("v1", "ridge", "raw", 1, 1)]
    app.context.metrics.bridges.searched("one", found)
    known: dict[str, set[str]] = {}
    try:
        registry = app.app.state.registry
        for family in registry.collect():
            known.setdefault(family.name, set())
            for sample in family.samples:
                known.setdefault(sample.name, set()).update(sample.labels)
    finally:
        app.context.close()
    return known


def expressions(dashboard: Any) -> Iterator[str]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["definition"]
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def test_there_are_dashboards() -> None:
    assert DASHBOARDS


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_asks_for_what_is_measured(path: Path, labels: dict[str, set[str]]) -> None:
    dashboard = json.loads(path.read_text())
    for expression in expressions(dashboard):
        asked = re.findall(r"(palimpsest_\w+)(?:\{(\w+)=~)?", expression)
        assert asked, expression
        for series, label in asked:
            assert series in labels, series
            # Adapters are fitted from points; there are none here, and so no samples of theirs.
            if label and labels[series]:
                assert label in labels[series], expression


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_have_titles_and_places_of_their_own(path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    for key in ("id", "title"):
        assert len({panel[key] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
