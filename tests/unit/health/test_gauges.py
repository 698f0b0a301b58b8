"""Gauges of health: readiness and progress at every stage, room on the disk."""

from __future__ import annotations

from pathlib import Path

from palimpsest.app.context import Context
from palimpsest.app.health.gauges import HealthGauges
from palimpsest.app.health.life import Stage
from palimpsest.app.settings import Settings


def gauges(context: Context) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in HealthGauges(context).collect()
        for sample in family.samples
    }


def test_a_life(tmp_path: Path) -> None:
    context = Context(Settings(data=tmp_path, threads=1))
    opening = gauges(context)
    assert opening["palimpsest_ready",] == opening["palimpsest_startup_progress_ratio",] == 0
    context.life.opens(3, 4)
    assert gauges(context)["palimpsest_startup_progress_ratio",] == 0.75
    context.open()
    try:
        found = gauges(context)
        context.life.enter(Stage.DRAINING)
        draining = gauges(context)
    finally:
        context.close()
    assert found["palimpsest_ready",] == found["palimpsest_startup_progress_ratio",] == 1
    assert 0 < found["palimpsest_disk_free_bytes",] <= found["palimpsest_disk_capacity_bytes",]
    assert draining["palimpsest_ready",] == 0
    assert draining["palimpsest_startup_progress_ratio",] == 1
