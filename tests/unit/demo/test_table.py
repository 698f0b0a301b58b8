"""The demo's table and chart."""

from __future__ import annotations

from palimpsest.app.demo.measuring import Quality
from palimpsest.app.demo.table import Step, to_chart, to_table


def test_table_and_chart_show_each_step() -> None:
    steps = [
        Step("old", 0.0, Quality(0.5, 0.25, 0.5, 1.0)),
        Step("newer", 1.0, Quality(0.75, 0.5, 1.0, 2.0)),
    ]
    assert to_table(steps).splitlines()[2:] == [
        "old             0%     0.500     0.500    0.250  1.0",
        "newer         100%     1.000     0.750    0.500  2.0",
    ]
    assert to_chart(steps).splitlines() == [
        f"old    {'#' * 20} 0.50",
        f"newer  {'#' * 40} 1.00",
    ]
