"""Sets of token vectors: making them one vector, and what is found by it.

Each module of the group measures one thing and yields its own rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.bench import (
    multivectors_candidates,
    multivectors_encoding,
    multivectors_engine,
    multivectors_maxsim,
    multivectors_plaid,
    multivectors_upgrade,
)
from tests.bench.multivectors_corpora import abstracts, recombined
from tests.bench.report import Result

DOCUMENTS, TOPICS = 2_000, 4
_MANY = 20_000  # documents above which fewer questions are asked
_MUST = {"quality": "<= 1,500, 0.985"}
_QUESTIONS = {True: 30, False: 100}


def measure(folder: Path, rounds: int, synthetic: int | None) -> Iterator[Result]:
    """Yield the rows of the table.

    Args:
        folder: holds ir/cranfield/.
        rounds: rates are the best of so many.
        synthetic: measure only so many drawn documents, instead of the abstracts and a few drawn.
    """
    if synthetic is not None:
        asked = _QUESTIONS[synthetic > _MANY]
        drawn = recombined(folder, synthetic, TOPICS, asked)
        yield from multivectors_candidates.measure(drawn)
        yield from multivectors_engine.measure(folder, drawn, judged=False)
        return
    corpus = abstracts(folder)
    yield from multivectors_encoding.measure(corpus, rounds)
    yield from multivectors_candidates.measure(corpus, _MUST)
    yield from multivectors_candidates.measure(recombined(folder, DOCUMENTS, TOPICS, 100))
    yield from multivectors_engine.measure(folder, corpus, judged=True)
    yield from multivectors_maxsim.measure(folder, corpus, rounds)
    yield from multivectors_upgrade.measure(folder, corpus)
    yield from multivectors_plaid.measure(corpus)
