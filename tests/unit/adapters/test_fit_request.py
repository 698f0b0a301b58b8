"""What is asked of a fit: refused by name where it can be of no use, and shown while it runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from palimpsest.index.adapters.comparable import FEWEST
from palimpsest.index.adapters.fit_request import (
    MAX_PAIRS,
    FitRequest,
    Running,
    check_request,
    is_repeatable,
    shown_damaged,
    shown_running,
)
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.errors import InvalidConfig, InvalidPairs

ASKED = FitRequest(rows="modèle-α", queries="模型", vector="Текст")


def pairs(n: int) -> Pairs:
    return Pairs(np.ones((n, 2), dtype=np.float32), np.ones((n, 3), dtype=np.float32))


def test_bounds_of_a_request() -> None:
    for good in (
        ASKED,
        replace(ASKED, holdout=0.5),
        replace(ASKED, max_pairs=MAX_PAIRS),
        replace(ASKED, query_pairs=pairs(FEWEST)),
    ):
        check_request(good)
    for bad, said in (
        (replace(ASKED, queries="modèle-α"), "'modèle-α' twice"),
        (replace(ASKED, holdout=0.0), "got 0.0"),
        (replace(ASKED, holdout=float("nan")), "got nan"),
        (replace(ASKED, max_pairs=2**53 + 1), "got 9007199254740993"),
        (replace(ASKED, max_pairs=0), "got 0"),
    ):
        with pytest.raises(InvalidConfig, match=said):
            check_request(bad)
    with pytest.raises(InvalidPairs, match=f"got {FEWEST - 1}"):
        check_request(replace(ASKED, query_pairs=pairs(FEWEST - 1)))


def test_only_what_points_alone_determine_is_fitted_again() -> None:
    assert is_repeatable(ASKED) and is_repeatable(replace(ASKED, kind="mlp", max_pairs=16))
    for given in (
        replace(ASKED, pairs=pairs(20)),
        replace(ASKED, query_pairs=pairs(20)),
        replace(ASKED, anchors=pairs(20)),
        replace(ASKED, shrinkage=0.0),
        replace(ASKED, rank=1),
        replace(ASKED, holdout=0.3),
        replace(ASKED, kind="matrix"),
        replace(ASKED, kind="identity"),
    ):
        assert not is_repeatable(given), given


def test_what_is_shown_of_a_fit_that_runs_and_of_one_that_is_damaged() -> None:
    running = Running(ASKED, "fitting ridge", 0.25, pairs=100, held_out=25)
    shown = shown_running(running)
    assert (shown.vector, shown.rows, shown.queries) == ("Текст", "modèle-α", "模型")
    assert (shown.state, shown.progress, shown.stage) == ("fitting", 0.25, "fitting ridge")
    assert (shown.kind, shown.pairs, shown.held_out, shown.report) == ("auto", 100, 25, {})
    damaged = shown_damaged("Текст", "modèle-α", "模型", "its bytes are others")
    assert (damaged.state, damaged.stage) == ("damaged", "its bytes are others")
    assert (damaged.kind, damaged.fitted_at) == ("", None)
