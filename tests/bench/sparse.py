"""Sparse search: 48,000 documents of about 100 terms each, real text where it is at hand.

A document is as many passages as hold 100 different words; a value is 1 + ln(occurrences). Short
queries are sentences (10 words), long ones whole documents. Answers are exact, as the tests show;
here a few documents are asked for by themselves, and their scores compared with the right ones.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.vectors import Modifier, SparseConfig
from palimpsest.index.kinds.sparse.growing import SparseGrowing
from palimpsest.index.kinds.sparse.rows import SparseRows, check_sparse, indptr_of
from palimpsest.index.kinds.sparse.seal import live_sparse_rows, write_sparse
from palimpsest.index.kinds.sparse.sealed import SparseSealed
from palimpsest.index.kinds.sparse.search import SparseView, search_sparse
from palimpsest.index.search.merge import merge
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.local import Local
from palimpsest.index.types import SparseVector
from palimpsest.index.view.view import SealedPart, VectorView
from tests.bench.corpora import SEED, K
from tests.bench.report import Result, rate

DOCUMENTS = 48_000
TERMS = 100
QUERIES = 300
BATCH = 256
MUST = "< 5 ms"
_CHECKED = 10
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents to search, and queries of two lengths."""

    name: str
    rows: SparseRows
    short: Sequence[SparseVector]
    long: Sequence[SparseVector]


def measure(folder: Path, rounds: int) -> Iterator[Result]:
    """Yield the rows of the table.

    Args:
        folder: holds text/corpus.jsonl.gz and text/queries.jsonl.gz, or words are made up.
        rounds: the best of so many counts.
    """
    corpus = _corpus(folder)
    terms = len(corpus.rows.indices) / len(corpus.rows)
    name = f"sparse, {len(corpus.rows):,} documents of {terms:.0f} terms ({corpus.name})"
    started = time.perf_counter()
    growing = _growing(corpus.rows)
    written = rate(len(corpus.rows) / (time.perf_counter() - started))
    yield Result(f"{name}: rows taken up by {BATCH}s", "", "", written)
    with tempfile.TemporaryDirectory() as temporary:
        started = time.perf_counter()
        segment = _sealed(growing, Local(Path(temporary) / "segment"))
        yield Result(f"{name}: sealing", "", "", f"{time.perf_counter() - started:.1f} s")
        parts = {"none": _view("none", segment), "idf": _view("idf", segment)}
        tenth = BitMap(range(0, len(corpus.rows), 10))
        for what, view, queries, allowed in (
            ("10-word query", parts["none"], corpus.short, None),
            ("10-word query, 10 % allowed", parts["none"], corpus.short, tenth),
            ("10-word query, idf", parts["idf"], corpus.short, None),
            ("10-word query, idf, 10 % allowed", parts["idf"], corpus.short, tenth),
            ("whole document as query", parts["none"], corpus.long, None),
            ("10-word query, growing rows", _unsealed(growing), corpus.short, None),
        ):
            yield Result(f"{name}: {what}", MUST, "", _timed(view, queries, allowed, rounds))
        _check_scores(parts["none"], corpus)


def _timed(
    view: SparseView, queries: Sequence[SparseVector], allowed: BitMap | None, rounds: int
) -> str:
    """Return median and 99th percentile of the milliseconds per query, each the best of rounds."""
    best = np.full(len(queries), np.inf)
    for _ in range(rounds):
        for place, query in enumerate(queries):
            started = time.perf_counter()
            merge(search_sparse(view, query, K, allowed)[0], K)
            best[place] = min(best[place], time.perf_counter() - started)
    median, slowest = np.percentile(best * 1e3, [50, 99])
    return f"{median:.2f} ms (p99 {slowest:.2f} ms)"


def _check_scores(view: SparseView, corpus: Corpus) -> None:
    """Raise when a document asked for by itself has not its squared length as score."""
    for row, query in enumerate(corpus.long[:_CHECKED]):
        found = merge(search_sparse(view, query, DOCUMENTS, None)[0], DOCUMENTS)
        score = -float(found.distances[list(found.ids).index(row)])
        if not math.isclose(score, float(np.vdot(query.values, query.values)), rel_tol=1e-5):
            raise AssertionError(f"document {row} has score {score}")


def _growing(rows: SparseRows) -> SparseGrowing:
    growing = SparseGrowing.empty(SparseConfig())
    for start in range(0, len(rows), BATCH):
        some = rows.part(start, min(start + BATCH, len(rows)))
        slots = np.arange(start + 1, start + 1 + len(some), dtype=np.uint64)
        numbers = np.arange(start, start + len(some), dtype=np.uint32)
        growing = growing.extended(slots, start + 1, slots - np.uint64(1), numbers, some)
    return growing


def _sealed(growing: SparseGrowing, folder: Directory) -> SparseSealed:
    checksum = write_sparse(folder, live_sparse_rows([(growing, Dead())]), Build(growing.config))
    assert checksum is not None
    return SparseSealed.open(folder, checksum)


def _view(modifier: Modifier, segment: SparseSealed) -> SparseView:
    return VectorView(SparseConfig(modifier), (SealedPart(segment, Dead()),), ())


def _unsealed(growing: SparseGrowing) -> SparseView:
    return VectorView(growing.config, (), (growing,))


def _corpus(folder: Path) -> Corpus:
    path = folder / "text" / "corpus.jsonl.gz"
    if path.exists():
        sentences = _texts(folder / "text" / "queries.jsonl.gz")
        return _counted("text", _texts(path), sentences)
    rng = np.random.default_rng(SEED)
    words = rng.zipf(1.3, size=(DOCUMENTS + QUERIES, 2 * TERMS))
    texts = [" ".join(map(str, row)) for row in words.tolist()]
    sentences = [" ".join(text.split()[:10]) for text in texts[DOCUMENTS:]]
    return _counted("made-up words", texts[:DOCUMENTS], sentences)


def _texts(path: Path) -> list[str]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line)["text"].lower() for line in lines]


def _counted(name: str, texts: Sequence[str], sentences: Sequence[str]) -> Corpus:
    passages = [_WORDS.findall(text) for text in texts]
    terms: dict[str, int] = {}
    documents = [_document(passages, place, terms) for place in range(DOCUMENTS)]
    rows = _rows(documents)
    asked = [sorted({terms[w] for w in _WORDS.findall(text) if w in terms}) for text in sentences]
    return Corpus(
        name,
        rows,
        [check_sparse(one, np.ones(len(one))) for one in asked[:QUERIES]],
        [rows.vector(place) for place in range(QUERIES)],
    )


def _rows(documents: Sequence[dict[int, float]]) -> SparseRows:
    lengths = np.array([len(document) for document in documents])
    terms = [term for document in documents for term in document]
    values = [value for document in documents for value in document.values()]
    indices = np.array(terms, dtype=np.uint32)
    return SparseRows(indptr_of(lengths), indices, np.array(values, dtype=np.float32))


def _document(
    passages: Sequence[Sequence[str]], place: int, terms: dict[str, int]
) -> dict[int, float]:
    """Return values by term, ascending."""
    counts: Counter[int] = Counter()
    for step in range(len(passages)):
        counts.update(
            terms.setdefault(w, len(terms)) for w in passages[(place + step) % len(passages)]
        )
        if len(counts) >= TERMS:
            break
    return {term: 1 + math.log(counts[term]) for term in sorted(counts)}
