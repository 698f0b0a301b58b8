"""No panel is empty where a server is asked for everything; those of what is rare show 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monitoring.panels import DASHBOARDS, filled, load, targets
from tests.monitoring.prometheus import Prometheus


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_no_panel_is_empty(prometheus: Prometheus, path: Path) -> None:
    asked = list(targets(path))
    assert len(asked) > 15
    assert [str(one) for one in asked if not prometheus.values(one.expression)] == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_variables_have_values(prometheus: Prometheus, path: Path) -> None:
    for variable in load(path)["templating"]["list"]:
        if variable["type"] == "query":
            asked = variable["definition"].removeprefix("label_values(").removesuffix(")")
            series, label = asked.rsplit(", ", 1)
            found = prometheus.query(f"count by ({label}) ({filled(series, path)})")
            assert any(one["metric"].get(label) for one in found), variable["name"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_annotations_can_be_asked_for(prometheus: Prometheus, path: Path) -> None:
    for annotation in load(path)["annotations"]["list"]:
        prometheus.query(filled(annotation["expr"], path))
