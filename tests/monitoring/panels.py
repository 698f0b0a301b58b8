"""What dashboards ask of Prometheus, with the variables of Grafana filled in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parents[2] / "docker" / "grafana" / "dashboards"
DASHBOARDS = sorted(FOLDER.glob("*.json"))
_MACROS = {"$__rate_interval": "1m", "$__range": "5m", "$__interval": "15s"}


class Target(NamedTuple):
    """One query of one panel."""

    dashboard: str
    panel: str
    place: str
    expression: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel} {self.place}"


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def targets(path: Path) -> Iterator[Target]:
    """Yield the queries of all panels, in their order."""
    for panel in load(path)["panels"]:
        for target in panel.get("targets", ()):
            yield Target(path.stem, panel["title"], target["refId"], filled(target["expr"], path))


def filled(expression: str, path: Path) -> str:
    """Return an expression as Grafana sends it where everything is chosen."""
    for macro, value in _MACROS.items():
        expression = expression.replace(macro, value)
    for variable in load(path)["templating"]["list"]:
        expression = expression.replace(f"${variable['name']}", variable.get("allValue", ""))
    assert "$" not in expression, expression
    return expression
