"""Gauges of recall: a series for every decision, and no value where nothing was measured."""

from __future__ import annotations

from dataclasses import replace

from palimpsest.app.recall_metrics import SampleDurations, recall_gauges, sampled_recall
from palimpsest.index import DECISIONS, Durations, RecallInfo, SampledRecall, VectorInfo


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


def test_samples_are_told_with_their_interval() -> None:
    vector = replace(
        held(None),
        sampled=[
            SampledRecall(False, 1_500, 0.99, 0.98, 0.995),
            SampledRecall(True, 3, *[None] * 3),
        ],
    )
    estimate, low, high, samples = sampled_recall([("docs", {"a b": vector, "": held(None)})])
    own = {"collection": "docs", "vector": "a b", "filtered": "false"}
    for metric, value in ((estimate, 0.99), (low, 0.98), (high, 0.995)):
        assert [(one.labels, one.value) for one in metric.samples] == [(own, value)]
    assert [(one.labels["filtered"], one.value) for one in samples.samples] == [
        ("false", 1_500),
        ("true", 3),
    ]


def test_durations_are_there_where_samples_are_taken() -> None:
    assert list(SampleDurations(lambda: None).collect()) == []
    durations = Durations()
    for seconds in (0.0001, 0.3, 99.0):
        durations.add(seconds)
    (told,) = SampleDurations(lambda: durations).collect()
    values = {one.labels.get("le", one.name): one.value for one in told.samples}
    assert values["0.0005"] == 1 and values["0.5"] == 2 and values["+Inf"] == 3
    assert values["palimpsest_recall_sample_duration_seconds_count"] == 3
