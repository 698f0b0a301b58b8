"""Beside a late-interaction engine, fast-plaid: the same tokens, one thread, CPU time.

Ours are candidates by the mean of tokens, or all documents, scored by 4-bit codes, and the first of
them rescored by their originals. The engine is not installed for this; where no interpreter has it
the row says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.encoding.tokens import ExactMaxSim, MaxSim, TokenEncoder
from palimpsest.index.types import Distance, Rows
from tests.bench import plaid_once
from tests.bench.corpora import K
from tests.bench.multivectors_corpora import Sets, TokenCorpus
from tests.bench.report import Result, rate, ratio

AIM = "2x"
_INTERPRETER = "PALIMPSEST_PLAID"
_NAME = "queries/s against fast-plaid, one thread, by CPU time"
_ASKED = 40  # questions: the engine takes a tenth of a second for one
_SETTINGS = ("1:64", "4:128", "4:256", "4:4096")  # lists probed : documents scored in full
_CANDIDATES = (50, 200, None)  # by the mean of tokens; None: all
_RESCORED = 30


def measure(corpus: TokenCorpus) -> Iterator[Result]:
    """Yield a row for each setting of the engine, beside the fastest of ours that finds as much."""
    documents, queries = next(corpus.blocks()), corpus.queries
    interpreter = os.environ.get(_INTERPRETER, sys.executable)
    if subprocess.run([interpreter, "-c", "import fast_plaid"], capture_output=True).returncode:
        why = f"skipped: not installed; {_INTERPRETER} may name an interpreter that has it"
        yield Result(f"{corpus.name}: {_NAME}", "", AIM, why)
        return
    best = corpus.truth[:_ASKED]
    ours = [_timed(_searched(documents, queries, most)) for most in _CANDIDATES]
    for theirs in _by_plaid(interpreter, documents, queries):
        recall = _recall(np.array(theirs["found"]), best)
        as_good = [one for one in ours if _recall(one[1], best) >= recall] or ours[-1:]
        seconds, found = min(as_good, key=lambda one: one[0])
        yield Result(
            f"{corpus.name}: {_NAME}, its lists:full scores {theirs['setting']}",
            "",
            AIM,
            f"{ratio(theirs['seconds'], seconds)} ({rate(_ASKED / seconds)} against "
            f"{rate(_ASKED / theirs['seconds'])})",
            f"{_recall(found, best):.3f} against {recall:.3f}",
        )


def _searched(
    documents: Sets, queries: Sets, most: int | None
) -> Callable[[], list[NDArray[np.int64]]]:
    """Return a search of all questions: the K documents found for each."""
    encoder, exact = TokenEncoder(documents.values.shape[1]), ExactMaxSim(Distance.COSINE)
    codes, scorer, means = encoder.encode(documents.values), MaxSim(encoder), documents.means()
    every = np.arange(len(documents), dtype=np.uint32)

    def one(place: int) -> NDArray[np.int64]:
        query, rows = queries.one(place), every
        if most is not None:
            rows = np.argpartition(-(means @ query.mean(axis=0)), most)[:most].astype(np.uint32)
        scores = scorer.scores(query, codes, documents.starts, rows)
        first: Rows = rows[np.argpartition(-scores, _RESCORED)[:_RESCORED]]
        again = exact.scores(query, documents.values, documents.starts, first)
        return first[np.argsort(-again)[:K]].astype(np.int64)

    return lambda: [one(place) for place in range(_ASKED)]


def _timed(
    search: Callable[[], list[NDArray[np.int64]]],
) -> tuple[float, NDArray[np.int64]]:
    best, found = float("inf"), search()
    for _ in range(3):
        started = time.thread_time()
        search()
        best = min(best, time.thread_time() - started)
    return best, np.array(found)


def _by_plaid(interpreter: str, documents: Sets, queries: Sets) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        np.save(place / "documents.npy", documents.values)
        np.save(place / "starts.npy", documents.starts)
        np.save(place / "queries.npy", queries.values[: queries.starts[_ASKED]])
        np.save(place / "query_starts.npy", queries.starts[: _ASKED + 1])
        done = subprocess.run(
            [interpreter, "-P", plaid_once.__file__, temporary, str(K), *_SETTINGS],
            check=True,
            capture_output=True,
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _recall(found: NDArray[np.int64], best: NDArray[np.int64]) -> float:
    return float((found[:, :, None] == best[:, None, :]).any(axis=2).mean())
