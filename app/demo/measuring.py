"""How well questions are answered: each has one right passage, and ten answers are looked at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from palimpsest.app.demo.client import Client
from palimpsest.app.demo.embedders import Vectors
from palimpsest.app.demo.questions import Asked

K = 10


class Quality(NamedTuple):
    """What one step measured.

    ``found`` is the share of questions whose passage is among the first ten answers, ``ndcg``
    also counts how far up it stands (1 / log2(1 + rank), Järvelin and Kekäläinen 2002), and
    ``requests`` is ``found`` with each question counted as often as it is asked.
    """

    found: float
    ndcg: float
    requests: float
    milliseconds: float  # per question, of a batch


def measure(
    client: Client, collection: str, queries: Vectors, asked: Asked
) -> tuple[Quality, list[list[int]]]:
    """Ask every question once; return how well they were answered, and the answers."""
    start = time.perf_counter()
    answers = client.search(collection, queries, K)
    seconds = time.perf_counter() - start
    return quality(answers, asked, 1_000 * seconds / len(queries)), answers


def quality(answers: Sequence[Sequence[int]], asked: Asked, milliseconds: float) -> Quality:
    """Return the quality of answers: ids per question, best first."""
    gains = np.zeros(len(asked.questions))
    for place, (question, ids) in enumerate(zip(asked.questions, answers, strict=True)):
        if question.answer in ids[:K]:
            gains[place] = 1 / np.log2(2 + list(ids).index(question.answer))
    found = gains > 0
    return Quality(
        float(found.mean()), float(gains.mean()), float(found @ asked.shares), milliseconds
    )
