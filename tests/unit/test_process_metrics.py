"""What the program does: how late its event loop is, what its threads have to do."""

from __future__ import annotations

import asyncio
import time

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


def test_threads_and_faults() -> None:
    found = values(ProcessGauges(lambda: ThreadLoad(waiting=7, threads=3, busy=2)))
    assert found["executor_queue_length"] == 7
    assert found["executor_threads"] == 3
    assert found["executor_busy_threads"] == 2
    assert found["threads"] >= 1
    assert found["page_faults_total_minor"] > 0
    assert "page_faults_total_major" in found
    assert values(ProcessGauges(lambda: None))["executor_threads"] == 0
