"""An upgrade of the embedding model, measured through the engine: graphs, 4-bit codes, adapters.

Adapters are fitted on at most 5,000 points that hold both versions. Beside each share stands what
exact search in plain numpy gives with a ridge fitted on the same pairs (``versions_exact``), and
whether the targets are met.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.bench import (
    versions_corpora,
    versions_demand,
    versions_labels,
    versions_merges,
    versions_mixed,
    versions_times,
    versions_verdicts,
)
from tests.bench.report import Result


def measure(folder: Path, rounds: int) -> Iterator[Result]:
    """Yield the rows of the table.

    Args:
        folder: holds text/ and ir/cranfield/.
        rounds: times are the best of so many.
    """
    texts = versions_corpora.passages(folder)
    yield from versions_mixed.measure(texts)
    yield from versions_merges.measure(versions_corpora.abstracts(folder))
    yield from versions_verdicts.measure(texts)
    yield from versions_labels.measure(texts, folder)
    yield from versions_demand.measure(texts)
    yield from versions_times.measure(texts, rounds)
