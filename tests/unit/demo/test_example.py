"""The demo's example."""

from __future__ import annotations

import numpy as np

from palimpsest.app.demo.corpus import Passage
from palimpsest.app.demo.example import choose, to_text
from palimpsest.app.demo.questions import (
    Asked,
    Question,
)


def test_the_example_is_a_question_that_each_step_answers_better() -> None:
    passages = [Passage(name, "") for name in "abcdef"]
    asked = Asked([Question("first?", 0), Question("second?", 1)], np.array([0.6, 0.4]), [])
    before, bridged, after = [[0, 2], [2, 3, 4]], [[0, 1], [5, 1, 2]], [[0, 1], [1, 5]]
    place = choose(asked, before, bridged, after)
    assert place == 1
    steps = {"old": before, "bridged": bridged, "new": after}
    assert to_text(place, asked, passages, steps).splitlines()[1:] == [
        "  second?  (right: b)",
        "  old      c, d, e",
        "  bridged  f, b, c",
        "  new      b, f",
    ]
    assert choose(asked, after, bridged, after) is None
