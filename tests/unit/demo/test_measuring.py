"""The demo's measures."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.app.demo.measuring import quality
from palimpsest.app.demo.questions import (
    Asked,
    Question,
)


def test_quality_counts_first_ranks_and_popular_questions_more() -> None:
    asked = Asked(
        [Question("a", 7), Question("b", 8), Question("c", 9)], np.array([0.5, 0.3, 0.2]), []
    )
    answers = [[7, 1], [1, 2, 8], [1, 2]]
    assert quality(answers, asked, 1.5) == pytest.approx((2 / 3, (1 + 1 / 2) / 3, 0.8, 1.5))


def test_the_eleventh_answer_does_not_count() -> None:
    asked = Asked([Question("a", 10)], np.ones(1), [])
    assert quality([list(range(11))], asked, 1.0).found == 0
