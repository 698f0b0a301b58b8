"""The verdict on levels that were measured on this project's data, and at its borders."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.verdict import (
    ASSUMED,
    LEAST_GAIN,
    Decision,
    Levels,
    Lift,
    Way,
    decide,
    decide_judged,
)

DRAWS = 400


def drawn(
    value: float, spread: float = 0.0, seed: int = 0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return resamples of a mean, its own value first."""
    generator = np.random.default_rng(seed)
    return np.concatenate([[value], value + spread * generator.standard_normal(DRAWS)])


def levels(
    old: float, bridged: float, new: float, cascade: float | None, spread: float = 0.0
) -> Levels:
    """Return levels whose resamples spread around their bridged mean."""
    deep = None if cascade is None else drawn(cascade)
    return Levels(drawn(old), drawn(bridged, spread), drawn(new), deep)


def verdict(one: Levels, **known: object) -> Decision:
    return decide(one, measure="measure", **known)  # type: ignore[arg-type]


# Without judgements.


@pytest.mark.parametrize(
    ("pair", "shares", "expected"),
    [
        ("v0 v1", (0.034, 0.047, 1.0, 0.288), "reindex"),
        ("v0 v2", (0.038, 0.052, 1.0, 0.284), "reindex"),
        ("v1 v2", (0.218, 0.358, 1.0, 0.850), "compare"),
        ("v1 v3", (0.228, 0.421, 1.0, 0.911), "compare"),
        ("v2 v3", (0.807, 0.903, 1.0, 1.0), "compare"),
        ("the same twice", (1.0, 1.0, 1.0, 1.0), "stay"),
    ],
)
def test_shares_of_the_new_answer_never_say_bridge(
    pair: str, shares: tuple[float, float, float, float], expected: str
) -> None:
    found = verdict(levels(*shares))
    assert found.verdict == expected, pair
    if expected != "stay":
        assert found.assumes == ASSUMED
        assert found.reasons[0].startswith(ASSUMED)  # it heads the verdict


def test_what_judged_queries_told_before_decides() -> None:
    known = {"verdict": "bridge", "queries": 178, "reasons": ["bridging is better"]}
    for shares in ((0.2, 0.1, 1.0, 0.2), (0.2, 0.9, 1.0, 1.0)):
        found = verdict(levels(*shares), known=known)
        assert (found.verdict, found.assumes) == ("bridge", None)
        assert "178 judged queries" in found.reasons[0]
        assert not any(ASSUMED in reason for reason in found.reasons)


def test_a_bridge_that_may_well_lose_is_not_even_worth_comparing() -> None:
    gain = LEAST_GAIN + 0.02
    sure = verdict(levels(0.0, gain, 1.0, 0.9, spread=0.005))
    unsure = verdict(levels(0.0, gain, 1.0, 0.9, spread=0.05))
    assert (sure.verdict, unsure.verdict) == ("compare", "cascade")
    assert sure.support > 0.99 > 0.8 > unsure.support > 0.5


def test_a_cascade_needs_candidates_that_hold_most_of_the_gain() -> None:
    assert verdict(levels(0.2, 0.2, 1.0, 0.9)).verdict == "cascade"
    assert verdict(levels(0.2, 0.2, 1.0, 0.5)).verdict == "reindex"
    assert verdict(levels(0.2, 0.2, 1.0, None)).verdict == "reindex"
    from_old = levels(0.2, 0.2, 1.0, 0.7)._replace(cascade_from_old=drawn(0.8))
    assert verdict(from_old).verdict == "cascade_from_old"


def test_reasons_name_the_levels() -> None:
    reasons = verdict(levels(0.218, 0.358, 1.0, 0.85)).reasons
    assert "0.218" in reasons[1] and "0.358" in reasons[1]


def test_queries_of_an_older_version_stay() -> None:
    assert verdict(levels(0.2, 0.6, 1.0, 0.9), newer=False).verdict == "stay"


# With judgements.


def judged(**gains: tuple[float, float]) -> Decision:
    """Return the verdict on gains and the standard errors of their means, over 100 queries."""
    ways: dict[Way, Lift] = {
        way: Lift(drawn(*gain, seed=place), 100)  # type: ignore[misc]
        for place, (way, gain) in enumerate(gains.items())
        if way != "both_over_bridge"
    }
    over = gains.get("both_over_bridge")
    return decide_judged(ways, None if over is None else Lift(drawn(*over), 100), "nDCG@10")


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ({"bridge": (0.05, 0.01), "reindex": (0.2, 0.02)}, "bridge"),
        ({"bridge": (0.05, 0.01), "both": (0.07, 0.01)}, "bridge"),  # both asks more of callers
        ({"bridge": (0.05, 0.01), "both": (0.07, 0.01), "both_over_bridge": (0.02, 0.005)}, "both"),
        ({"bridge": (-0.05, 0.01), "both": (0.03, 0.01), "reindex": (0.2, 0.02)}, "both"),
        ({"bridge": (0.01, 0.01), "both": (0.01, 0.01), "cascade_from_old": (0.1, 0.01)},
         "cascade_from_old"),
        ({"bridge": (-0.1, 0.01), "cascade_from_old": (0.1, 0.01), "cascade": (0.15, 0.01)},
         "cascade"),
        ({"bridge": (-0.1, 0.01), "cascade": (0.01, 0.01), "reindex": (0.1, 0.01)}, "reindex"),
        ({"bridge": (-0.1, 0.01), "both": (-0.05, 0.01), "reindex": (-0.1, 0.01)}, "stay"),
        ({"bridge": (-0.1, 0.01), "both": (0.005, 0.01), "reindex": (-0.1, 0.01)}, "stay"),
        ({"bridge": (0.0, 0.0), "both": (0.0, 0.0), "reindex": (0.0, 0.0)}, "stay"),
        ({"bridge": (1.0, 1.0), "reindex": (0.1, 0.1)}, "not enough queries"),  # of 21 queries
    ],
)  # fmt: skip
def test_a_verdict_needs_an_interval_that_excludes_zero(
    gains: dict[str, tuple[float, float]], expected: str
) -> None:
    found = judged(**gains)
    assert found.verdict == expected
    assert found.assumes is None
    assert (found.more_queries is not None) == (expected == "not enough queries")


def test_about_how_many_more_queries_is_said() -> None:
    found = judged(bridge=(0.01, 0.01))
    more = found.more_queries
    assert more is not None and 180 < more < 400  # 1.96 standard errors are twice the gain
    assert found.reasons[0] == f"not enough queries: about {more} more"
    without = judged(bridge=(0.0, 0.0), both=(0.0, 0.01))
    assert without.more_queries is None
    assert without.reasons[0].startswith("not enough queries")


def test_a_new_version_that_was_not_measured_is_not_judged_worse() -> None:
    found = judged(bridge=(-0.1, 0.01), both=(0.0, 0.0))
    assert found.verdict == "not enough queries"
    assert "not measured" in found.reasons[-1]
