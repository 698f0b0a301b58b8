"""Series of an upgrade: coverage, what is left to fill, and what adapters find."""

from __future__ import annotations

import pytest

from tests.api.upgrades import HALF, Upgrade, rotation


def test_metrics_of_an_upgrade(upgrade: Upgrade) -> None:
    fitted = upgrade.fit()
    for where in ("@v2", "@v2"):
        upgrade.found({"query": (upgrade.queries[0] @ rotation()).tolist()}, where)
    text = upgrade.http.get("/metrics").text
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    held = {name: float(value) for name, value in lines}
    second = f'{{collection="{upgrade.name}",vector="",version="v2"}}'
    ends = f'{{collection="{upgrade.name}",from_version="v2",to_version="v1"'
    assert held[f"palimpsest_model_points{second}"] == HALF
    assert held[f"palimpsest_model_coverage_ratio{second}"] == 0.5
    assert held[f"palimpsest_model_active{second}"] == 0
    assert held[f"palimpsest_backfill_remaining_points{second}"] == HALF
    assert held[f"palimpsest_backfill_points_total{second}"] == HALF
    state = f'{{collection="{upgrade.name}",state="shadow",vector="",version="v2"}}'
    assert held[f"palimpsest_model_state{state}"] == 1
    assert held[f"palimpsest_bridge_queries_total{ends}}}"] == 2
    bridge = f'{ends},vector=""}}'
    assert held[f"palimpsest_bridge_pairs{bridge}"] > 0
    assert held[f"palimpsest_bridge_untried_kinds{bridge}"] == 0
    overlap = held[f"palimpsest_bridge_overlap_ratio{bridge}"]
    assert overlap == fitted["report"]["expected"]["arr"]  # at the size of the collection
    assert overlap != fitted["report"]["arr"]
    error = held[f"palimpsest_bridge_error_ratio{bridge}"]
    assert error == pytest.approx(1 - fitted["report"]["arr"])
    assert held["palimpsest_bridge_fit_duration_seconds_count"] >= 1
