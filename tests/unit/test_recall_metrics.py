"""Gauges of recall: a series for every decision, and no value where nothing was measured."""

from __future__ import annotations

from palimpsest.app.recall_metrics import recall_gauges
from palimpsest.index import DECISIONS, RecallInfo, VectorInfo


def held(recall: RecallInfo | None) -> VectorInfo:
    return VectorInfo(0, 0, 0, 0, 0, 0, 0, {}, recall)


def test_decisions_and_measurements() -> None:
    decision = next(iter(DECISIONS))
    vectors = {
        "": held(RecallInfo({decision: 2}, {4: 2}, 100, 0.99, 0.9)),
        "neu": held(RecallInfo({decision: 1}, {4: 1}, 0, None, None)),
        "sparse": held(None),
    }
    decided, mean, worst = recall_gauges([("docs", vectors)])
    counted = {(s.labels["vector"], s.labels["decision"]): s.value for s in decided.samples}
    assert counted == {
        (name, each): float(count if each == decision else 0)
        for name, count in (("", 2), ("neu", 1))
        for each in DECISIONS
    }
    assert [(s.labels["vector"], s.value) for s in mean.samples] == [("", 0.99)]
    assert [(s.labels["vector"], s.value) for s in worst.samples] == [("", 0.9)]
