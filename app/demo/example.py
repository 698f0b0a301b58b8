"""One question and its first answers at each step, to see what the figures mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from palimpsest.app.demo.corpus import Passage
from palimpsest.app.demo.questions import Asked

SHOWN = 3
Answers: TypeAlias = Sequence[Sequence[int]]  # ids per question, best first


def choose(asked: Asked, before: Answers, bridged: Answers, after: Answers) -> int | None:
    """Return the place of the most frequent question that shows what each step does.

    Its passage is not shown before, is shown once the models are bridged, and comes first in the
    end; None when there is no such question.
    """
    for place, question in enumerate(asked.questions):
        right = question.answer
        if (
            right not in before[place][:SHOWN]
            and right in bridged[place][:SHOWN]
            and right in after[place][:1]
        ):
            return place
    return None


def to_text(
    place: int, asked: Asked, passages: Sequence[Passage], steps: Mapping[str, Answers]
) -> str:
    """Return a question, and a line per step with the names of the first passages it found."""
    question = asked.questions[place]
    width = max(len(name) for name in steps)
    lines = [
        f"  {name:{width}}  {', '.join(passages[one].name for one in answers[place][:SHOWN])}"
        for name, answers in steps.items()
    ]
    return "\n".join(
        [
            "One question that shows the difference, with its first answers:",
            f"  {question.text}  (right: {passages[question.answer].name})",
            *lines,
        ]
    )
