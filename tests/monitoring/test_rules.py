"""Rules are what Prometheus reads; every alert fires on its case, and has a word in operate.md."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.monitoring.conftest import Checked
from tests.monitoring.prometheus import CASES, DOCKER, ROOT, tool

FILES = [DOCKER / "rules.yml", DOCKER / "alerts.yml"]


def rules(kind: str) -> list[dict[str, Any]]:
    groups = [group for file in FILES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS = [rule["alert"] for rule in rules("alert")]


def promtool(*arguments: str) -> None:
    command = [tool("promtool"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_configuration_are_read() -> None:
    promtool("check", "rules", *map(str, FILES))
    promtool("check", "config", "--syntax-only", str(DOCKER / "prometheus.yml"))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_alerts_fire_on_their_cases_alone(file: Any, checked: Checked) -> None:
    status, said = checked.outcome(file)
    assert status == 0 and "SUCCESS" in said, said


def test_every_alert_has_a_case_in_which_it_is_silent_and_one_in_which_it_fires() -> None:
    cases = {
        case["name"]: case["promql_expr_test"]
        for file in CASES
        for case in yaml.safe_load(file.read_text())["tests"]
    }
    healthy = cases.pop("A healthy server")
    assert healthy[0] == {"expr": "ALERTS", "eval_time": "190m", "exp_samples": []}
    assert sorted(cases) == sorted(ALERTS)
    for name, (silent, fires) in cases.items():
        asked = f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})'
        assert silent["expr"] == fires["expr"] == asked
        assert silent["exp_samples"] == []
        assert fires["exp_samples"] == [{"labels": f'{{alertname="{name}"}}', "value": 1}]


def test_operators_are_told_of_every_alert() -> None:
    page = (ROOT / "docs" / "operate.md").read_text()
    section = page.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    told = re.findall(r"^### (\w+)\n\n(.+)", section, re.MULTILINE)
    assert [name for name, _ in told] == ALERTS
    assert all(len(text) > 80 for _, text in told)
