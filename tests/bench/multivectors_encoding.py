"""How fast sets become one vector, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from palimpsest.index.config.fde import PRESETS
from palimpsest.index.encoding.fde import FdeEncoder
from tests.bench.multivectors_corpora import TokenCorpus
from tests.bench.report import Result, rate

_MUST = {"quality": ">= 2.0k/s"}


def measure(corpus: TokenCorpus, rounds: int) -> Iterator[Result]:
    """Yield documents per second and microseconds per query of each preset, by CPU time."""
    (documents,) = corpus.blocks()
    each = len(documents.values) / len(documents)
    for preset, config in PRESETS.items():
        encoder = FdeEncoder.make(documents.values.shape[1], config)
        encoded = _seconds(partial(encoder.documents, *documents), rounds)
        name = f"FDE {preset}, {encoder.size:,} dimensions"
        yield Result(
            f"{name}: documents of {each:.0f} tokens encoded, one thread",
            _MUST.get(preset, ""),
            "",
            rate(len(documents) / encoded),
        )
        asked = _seconds(partial(_encode_queries, encoder, corpus), rounds)
        measured = f"{asked / len(corpus.queries) * 1e6:.0f} us"
        yield Result(f"{name}: encoding a query", "", "", measured)


def _encode_queries(encoder: FdeEncoder, corpus: TokenCorpus) -> None:
    for place in range(len(corpus.queries)):
        encoder.query(corpus.queries.one(place))


def _seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the CPU seconds of this thread, the best of rounds."""
    best = float("inf")
    for _ in range(rounds):
        started = time.thread_time()
        work()
        best = min(best, time.thread_time() - started)
    return best
