"""Questions with one right passage each, made of the passages by rule.

A question is the first four content words of a passage's first sentence in one of four phrasings
of everyday English. Where several passages begin with the same words there is no one right
answer, and none of them is asked for. Neither embedder has a say in the choice. Some questions are
asked more often than others: the r-th in a random order in proportion to r to the -0.7 (Breslau et
al. 1999, "Web caching and Zipf-like distributions", found exponents of .64 to .83).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.app.demo.corpus import Passage
from palimpsest.app.demo.errors import DemoError

WORDS = 4
POPULARITY = 0.7
PHRASINGS = (
    "Is there something in the standard library that would {}?",
    "I am looking for the function that I should be using to {}",
    "Which part of the Python library can I use when I want to {}?",
    "What would be the right way to {} with the standard library?",
)
MIN_SENTENCE = 25  # characters
MIN_QUESTIONS = 20
MAX_PRACTICE = 200
_SENTENCES = re.compile(r"(?<=[.!?:;])\s")
_WORD = re.compile(r"[A-Za-z]{2,}")
_FUNCTION_WORDS = frozenset(
    """
    about after all also an and any are as at be because been before being but by can could did
    do does each else for from given has have how if in instead into is it its itself like may
    might more most must no not of on one only onto or other otherwise over own per same should
    so some such than that the their them then there these they this those to up upon use used
    uses using via was we were what when where whether which while who will with without would
    you your
    """.split()
)


class Question(NamedTuple):
    """A text to ask, and the number of the passage that answers it."""

    text: str
    answer: int


class Asked(NamedTuple):
    """Questions, and how often each is asked: shares (n,) float64 that sum to 1.

    ``practice`` are others, for models and adapters to learn from.
    """

    questions: list[Question]
    shares: NDArray[np.float64]
    practice: list[str]


def ask(passages: Sequence[Passage], limit: int, seed: int = 0) -> Asked:
    """Return at most ``limit`` questions of the passages, in order of their popularity.

    Raises:
        DemoError: the passages make too few questions to measure anything.
    """
    made = make_questions(passages)
    # Which question is popular must not depend on where in the alphabet its passage stands.
    order = [made[place] for place in np.random.default_rng(seed).permutation(len(made))]
    # Others than those that are measured: an adapter that had seen these would look better than it
    # is.
    practising = min(MAX_PRACTICE, len(order) // 5)
    chosen = order[practising : practising + limit]
    if len(chosen) < MIN_QUESTIONS:
        raise DemoError(
            f"{len(passages)} passages make only {len(chosen)} questions, at least "
            f"{MIN_QUESTIONS} are needed; give a larger --passages"
        )
    weights = np.arange(1, len(chosen) + 1) ** -POPULARITY
    return Asked(chosen, weights / weights.sum(), [one.text for one in order[:practising]])


def make_questions(passages: Sequence[Passage]) -> list[Question]:
    """Return the question of each passage that has one, in the order of the passages."""
    words = [" ".join(content_words(first_sentence(one.text))[:WORDS]) for one in passages]
    often = Counter(words)
    return [
        Question(PHRASINGS[number % len(PHRASINGS)].format(text), number)
        for number, text in enumerate(words)
        # Of passages that begin alike none is asked for: nobody could say which one is right.
        if text.count(" ") == WORDS - 1 and often[text] == 1
    ]


def sample_sentences(passages: Sequence[Passage], limit: int, seed: int = 0) -> list[str]:
    """Return at most ``limit`` different sentences of the passages, drawn at random."""
    found = {sentence for one in passages for sentence in _SENTENCES.split(one.text)}
    sentences = sorted(one for one in found if len(one) >= MIN_SENTENCE)
    order = np.random.default_rng(seed).permutation(len(sentences))[:limit]
    return [sentences[place] for place in order]


def first_sentence(text: str) -> str:
    """Return a text up to the first full stop, colon or the like."""
    return _SENTENCES.split(text, maxsplit=1)[0]


def content_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without function words."""
    words = (word.lower() for word in _WORD.findall(text))
    return [word for word in words if word not in _FUNCTION_WORDS]
