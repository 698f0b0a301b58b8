"""MaxSim over codes of tokens: speed beside numpy, bytes, and what answers lose by them.

What the codes find is measured with and without the last rescoring, by the similarity of the
originals, of the first so many; pooled vectors are compared as they are, and in codes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import DEFAULT_TOKEN_BITS, TOKEN_BITS
from palimpsest.index.encoding.pooling import pool_tokens
from palimpsest.index.encoding.tokens import (
    ExactMaxSim,
    MaxSim,
    TokenEncoder,
)
from palimpsest.index.types import Distance
from tests.bench import maxsim_once, versions_corpora
from tests.bench.corpora import K
from tests.bench.multivectors_corpora import Sets, TokenCorpus
from tests.bench.report import Result, ratio

_TIMED = 400  # documents that are scored by the clock
_ASKED = 32  # tokens of their query, what late-interaction models pad queries to
_RESCORED = 30
_POOLS = (2, 3, 4)
_LEVELS = ("avx512", "avx2")
_MUST = {"avx512": ">= 4x", "avx2": ">= 2x"}
_KEPT = 0.99  # of the exact nDCG@10

Scores = NDArray[np.floating]
Score = Callable[[int], Scores]  # number of a question -> the score of every document


def measure(folder: Path, corpus: TokenCorpus, rounds: int) -> Iterator[Result]:
    """Yield the rows of the table.

    Args:
        folder: holds ir/cranfield/.
        corpus: its documents and questions.
        rounds: times are the least of so many.
    """
    documents = next(corpus.blocks())
    for level in _LEVELS:
        yield from _kernels(documents, corpus.queries, level, rounds)
    ndcg = versions_corpora.abstracts(folder).ndcg
    answers = _Answers(documents, corpus.queries, ndcg)
    yield from _widths(answers, documents)
    yield from _pools(answers, documents)


def _kernels(documents: Sets, queries: Sets, level: str, rounds: int) -> Iterator[Result]:
    """Yield times at a kernel level, which the process of its own may find this CPU to lack."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        np.save(place / "values.npy", documents.values[: documents.starts[_TIMED]])
        np.save(place / "starts.npy", documents.starts[: _TIMED + 1])
        np.save(place / "query.npy", queries.values[:_ASKED])
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        done = subprocess.run(
            [sys.executable, "-P", maxsim_once.__file__, str(place), str(max(rounds, 3))],
            env={**os.environ, **one, "PALIMPSEST_SIMD": level},
            capture_output=True,
            text=True,
        )
    if "is not a level of this build on this CPU" in done.stderr:
        return
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    seconds: dict[str, float] = json.loads(done.stdout)
    plain = seconds.pop("numpy")
    for name, own in seconds.items():
        yield Result(
            f"MaxSim of {_ASKED} tokens and {_TIMED} documents, {name}, {level}: speed against "
            "float32 matmul and max of numpy, by CPU time",
            _MUST[level] if name in ("8-bit", f"{DEFAULT_TOKEN_BITS}-bit") else "",
            "",
            f"{ratio(plain, own)} ({own * 1e3:.2f} ms against {plain * 1e3:.2f} ms)",
        )


class _Answers:
    """What is found by scores, beside the exact answers."""

    def __init__(
        self, documents: Sets, queries: Sets, ndcg: Callable[[NDArray[np.int64]], float]
    ) -> None:
        self.queries, self._ndcg = queries, ndcg
        every = np.arange(len(documents), dtype=np.uint32)
        exact = ExactMaxSim(Distance.COSINE)
        self._exact = np.stack(
            [
                exact.scores(queries.one(q), documents.values, documents.starts, every)
                for q in range(len(queries))
            ]
        )
        self._best = _ordered(self._exact)[:, :K]
        self.ndcg = ndcg(self._best)

    def say(self, score: Score) -> tuple[str, str]:
        """Return the quality of codes' own answers and rescored ones, and their agreement."""
        found = _ordered(np.stack([score(q) for q in range(len(self.queries))]))
        first = found[:, :_RESCORED]
        again = _ordered(np.take_along_axis(self._exact, first, axis=1))
        rescored = np.take_along_axis(first, again, axis=1)
        said = [self._ndcg(each[:, :K]) for each in (found, rescored)]
        shared = [self._shared(each[:, :K]) for each in (found, rescored)]
        return (
            f"{said[0]:.4f}, first {_RESCORED} rescored {said[1]:.4f}, exact {self.ndcg:.4f}",
            f"{shared[0]:.4f}, {shared[1]:.4f}",
        )

    def _shared(self, found: NDArray[np.int64]) -> float:
        return float((found[:, :, None] == self._best[:, None, :]).any(axis=2).mean())


def _widths(answers: _Answers, documents: Sets) -> Iterator[Result]:
    every = np.arange(len(documents), dtype=np.uint32)
    for bits in TOKEN_BITS:
        encoder = TokenEncoder(documents.values.shape[1], bits)
        codes, scorer = encoder.encode(documents.values), MaxSim(encoder)

        def score(q: int, codes: NDArray[np.uint8] = codes, scorer: MaxSim = scorer) -> Scores:
            return scorer.scores(answers.queries.one(q), codes, documents.starts, every)

        is_default = bits == DEFAULT_TOKEN_BITS
        yield Result(
            f"tokens of {encoder.size} dimensions in {bits}-bit codes: bytes a token",
            "<= 70" if is_default else "",
            "",
            f"{codes.nbytes / len(codes):.0f} ({codes.nbytes / len(documents):,.0f} a document)",
            reference=f"float32 {4 * encoder.size}",
        )
        quality, shared = answers.say(score)
        must = f">= {_KEPT * answers.ndcg:.4f}" if is_default else ""
        yield Result(f"MaxSim by {bits}-bit codes: nDCG@10", must, "", quality, shared)


def _pools(answers: _Answers, documents: Sets) -> Iterator[Result]:
    every = np.arange(len(documents), dtype=np.uint32)
    exact, encoder = ExactMaxSim(Distance.COSINE), TokenEncoder(documents.values.shape[1])
    for pool in _POOLS:
        pooled = pool_tokens(documents.values, documents.starts, pool, unit=True)
        vectors = encoder.decode(encoder.encode(pooled.values))
        for what, values in (("", pooled.values), (f", {encoder.bits}-bit codes", vectors)):

            def score(
                q: int,
                values: NDArray[np.float32] = values,
                starts: NDArray[np.int64] = pooled.starts,
            ) -> Scores:
                return exact.scores(answers.queries.one(q), values, starts, every)

            quality, shared = answers.say(score)
            share = len(pooled.values) / len(documents.values)
            name = f"tokens pooled by {pool}{what}, {share:.0%} of the vectors: nDCG@10"
            yield Result(name, "", "", quality, shared)


def _ordered(scores: Scores) -> NDArray[np.int64]:
    """Return places (q, m) by falling scores, the first of equals first."""
    return np.argsort(-scores, axis=1, kind="stable")
