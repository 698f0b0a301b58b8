"""What the program does: how late its event loop is, what its threads have to do."""

from __future__ import annotations

import asyncio
import mmap
import time

import pytest

from palimpsest.app.process_metrics import PERIOD, ProcessGauges
from palimpsest.app.shares import ThreadLoad


def values(gauges: ProcessGauges) -> dict[str, float]:
    return {
        "_".join([sample.name, *sample.labels.values()]).removeprefix("palimpsest_"): sample.value
        for family in gauges.collect()
        for sample in family.samples
    }


def test_a_blocked_event_loop_is_late() -> None:
    gauges = ProcessGauges(lambda: None)

    async def run() -> None:
        watching = asyncio.create_task(gauges.watch())
        await asyncio.sleep(0)
        time.sleep(PERIOD + 0.15)
        await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(run())
    found = values(gauges)
    assert found["event_loop_lag_seconds_count"] == 1
    assert found["event_loop_lag_seconds_sum"] >= 0.15


def test_maps_are_counted_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    gauges = ProcessGauges(lambda: None)
    before = values(gauges)
    assert 20 < before["memory_maps"] < before["memory_maps_limit"]
    held = [mmap.mmap(-1, 4096 * (n + 1), mmap.MAP_SHARED) for n in range(50)]
    assert values(gauges)["memory_maps"] == before["memory_maps"]
    monkeypatch.setattr("palimpsest.app.process_metrics.MAPS_SECONDS", -1.0)
    gauges = ProcessGauges(lambda: None)
    assert values(gauges)["memory_maps"] >= before["memory_maps"] + 45
    del held


def test_threads_and_faults() -> None:
    found = values(ProcessGauges(lambda: ThreadLoad(waiting=7, threads=3, busy=2)))
    assert found["executor_queue_length"] == 7
    assert found["executor_threads"] == 3
    assert found["executor_busy_threads"] == 2
    assert found["threads"] >= 1
    assert found["page_faults_total_minor"] > 0
    assert "page_faults_total_major" in found
    assert values(ProcessGauges(lambda: None))["executor_threads"] == 0
