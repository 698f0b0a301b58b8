"""The verdict on levels that were measured on this project's data, and at its borders."""

from __future__ import annotations

import numpy as np
import pytest

from index.versions.verdict import LEAST_GAIN, Decision, Levels, decide


def levels(
    old: float, bridged: float, new: float, cascade: float | None, spread: float = 0.0
) -> Levels:
    """Return levels whose resamples spread around their bridged mean."""
    generator = np.random.default_rng(0)
    drawn = np.concatenate([[bridged], bridged + spread * generator.standard_normal(400)])
    constant = np.ones_like(drawn)
    return Levels(
        old * constant, drawn, new * constant, None if cascade is None else cascade * constant
    )


def verdict(one: Levels, *, judged: bool) -> Decision:
    return decide(one, judged=judged, measure="measure")


@pytest.mark.parametrize(
    ("pair", "known", "expected"),
    [
        ("v0 v1", (0.047, 0.026, 0.322, 0.084), "reindex"),
        ("v0 v2", (0.047, 0.034, 0.520, 0.147), "reindex"),
        ("v1 v2", (0.322, 0.338, 0.520, 0.493), "bridge"),
        ("v1 v3", (0.427, 0.483, 0.639, 0.600), "bridge"),
        ("v2 v3", (0.630, 0.637, 0.639, 0.639), "bridge"),
        ("v2 v1", (0.520, 0.424, 0.322, 0.329), "stay"),
        ("v2 v0", (0.520, 0.057, 0.047, 0.035), "stay"),
        ("v3 v2", (0.639, 0.630, 0.630, 0.630), "stay"),
    ],
)
def test_known_items_of_the_text_decide(
    pair: str, known: tuple[float, float, float, float], expected: str
) -> None:
    assert verdict(levels(*known), judged=True).verdict == expected, pair


@pytest.mark.parametrize(
    ("pair", "shares", "expected"),
    [
        ("v0 v1", (0.034, 0.047, 1.0, 0.288), "reindex"),
        ("v0 v2", (0.038, 0.052, 1.0, 0.284), "reindex"),
        ("v1 v2", (0.218, 0.358, 1.0, 0.850), "bridge"),
        ("v1 v3", (0.228, 0.421, 1.0, 0.911), "bridge"),
        ("v2 v3", (0.807, 0.903, 1.0, 1.0), "bridge"),
        ("the same twice", (1.0, 1.0, 1.0, 1.0), "stay"),
    ],
)
def test_shares_of_the_new_answer_decide_without_judgements(
    pair: str, shares: tuple[float, float, float, float], expected: str
) -> None:
    assert verdict(levels(*shares), judged=False).verdict == expected, pair


def test_judgements_override_the_overlap() -> None:
    worse = levels(0.5, 0.45, 0.4, 0.4)
    assert verdict(worse, judged=True).verdict == "stay"


def test_a_bridge_that_may_well_lose_is_none_without_judgements() -> None:
    gain = LEAST_GAIN + 0.02
    sure = verdict(levels(0.0, gain, 1.0, 0.9, spread=0.005), judged=False)
    unsure = verdict(levels(0.0, gain, 1.0, 0.9, spread=0.05), judged=False)
    assert (sure.verdict, unsure.verdict) == ("bridge", "cascade")
    assert sure.support > 0.99 > 0.8 > unsure.support > 0.5


def test_a_cascade_needs_candidates_that_hold_most_of_the_gain() -> None:
    assert verdict(levels(0.2, 0.2, 1.0, 0.9), judged=False).verdict == "cascade"
    assert verdict(levels(0.2, 0.2, 1.0, 0.5), judged=False).verdict == "reindex"
    assert verdict(levels(0.2, 0.2, 1.0, None), judged=False).verdict == "reindex"


def test_reasons_name_the_levels_and_the_assumption() -> None:
    reasons = verdict(levels(0.218, 0.358, 1.0, 0.85), judged=False).reasons
    assert "0.218" in reasons[0] and "0.358" in reasons[0]
    assert any("without judgements" in one for one in reasons)
    judged = verdict(levels(0.218, 0.358, 1.0, 0.85), judged=True).reasons
    assert not any("without judgements" in one for one in judged)
