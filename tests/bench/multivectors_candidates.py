"""How many candidates have to be looked at to have the best ten of MaxSim among them.

Compared are lists of the documents that have a token near each of many centroids, the presets, as
float and as codes of the ordinary encoder, the mean of the tokens, and what token indexes do:
search for each query token among all tokens (here exactly, which no index betters), and unite the
documents found, counted with and without those that come twice (the single-vector heuristic of
MUVERA, arXiv 2405.19504, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.fde import PRESETS
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.fde import FdeEncoder
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.kinds.multi.lists import PROBES, MadeLists, sample_of
from palimpsest.index.kinds.multi.rows import MultiRows, starts_of
from palimpsest.index.segments.graph import build
from palimpsest.index.segments.searcher import Rescoring, Walk
from palimpsest.index.types import Codes, Distance, Vectors
from tests.bench.multivectors_corpora import Scores, Sets, TokenCorpus
from tests.bench.report import Result

DEPTH = 200  # candidates that are looked at at most
SHARES = (0.90, 0.95)
NOTHING: Mapping[str, str] = MappingProxyType({})
_FITTED = 4_000  # documents that a code is fitted on
_FLOATS = 20_000  # documents whose encodings are kept as float too
_TOKENS = 500_000  # tokens among which each query token is looked for


def measure(corpus: TokenCorpus, must: Mapping[str, str] = NOTHING) -> Iterator[Result]:
    """Yield what lies within the depth and what is needed, one contender after the other.

    ``must`` is what is asked of a preset, with codes of 1 bit and the graph.
    """
    means = np.concatenate([block.means() for block in corpus.blocks()])
    yield _result(corpus, "mean of tokens", corpus.queries.means() @ means.T)
    yield from _lists(corpus)
    for preset in PRESETS:
        yield from _preset(corpus, preset, must.get(preset, ""))
    if corpus.documents * 150 <= _TOKENS:
        yield from _token_by_token(corpus)


def _lists(corpus: TokenCorpus) -> Iterator[Result]:
    held = iter(corpus.blocks())
    sample = [next(held)]
    each = len(sample[0].values) / len(sample[0])
    wanted = sample_of(int(each * corpus.documents))
    while sum(len(one.values) for one in sample) < wanted and (block := next(held, None)):
        sample.append(block)
    some = Sets(
        np.concatenate([one.values for one in sample]),
        starts_of(np.concatenate([np.diff(one.starts) for one in sample])),
    )
    made = MadeLists(
        MultiRows(some.starts, some.values),
        int(each * corpus.documents),
        corpus.documents,
        1,
        unit=True,
    )
    first = 0
    for block in corpus.blocks():
        made.fill(slice(first, first + len(block)), MultiRows(block.starts, block.values))
        first += len(block)
    lists = made.made()
    bytes_each = sum(array.nbytes for array in lists.files().values()) / corpus.documents
    for probes in PROBES.values():
        gains = [
            0 - lists.estimates(corpus.queries.one(place), probes)
            for place in range(len(corpus.queries))
        ]
        contender = f"{probes} lists a token, {bytes_each:,.0f} bytes a document"
        yield _result(corpus, contender, np.stack(gains))


def _result(corpus: TokenCorpus, contender: str, scores: Scores) -> Result:
    inside = corpus.inside(scores, np.array([DEPTH]))[0]
    needed = " / ".join(f"{corpus.needed(scores, share):,}" for share in SHARES)
    found = np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH]
    return _row(corpus, contender, needed, _recall(inside, corpus.kept(found)))


def _recall(inside: float, kept: float) -> str:
    return f"{inside:.3f} in {DEPTH}, {kept:.4f} of the score"


def _row(corpus: TokenCorpus, contender: str, measured: str, recall: str) -> Result:
    shares = " / ".join(f".{round(share * 100)}" for share in SHARES)
    name = f"{corpus.name}: {contender}, candidates for {shares} of MaxSim's best 10"
    return Result(name, "", "", measured, recall)


def _preset(corpus: TokenCorpus, preset: str, must: str) -> Iterator[Result]:
    encoder = FdeEncoder.make(corpus.queries.values.shape[1], PRESETS[preset])
    queries = np.stack([encoder.query(corpus.queries.one(q)) for q in range(len(corpus.queries))])
    if corpus.documents <= _FLOATS:
        rows = np.concatenate([encoder.documents(*block) for block in corpus.blocks()])
        yield _result(corpus, f"{preset}, float", queries @ rows.T)
        for bits in (4, 1):
            coder = Encoder.fit(rows[:_FITTED], Distance.DOT, bits, 1)
            codes = coder.encode(rows)
            yield _result(corpus, f"{preset}, {bits} bit", _by_codes(coder, codes, queries))
        yield _walked(corpus, (preset, must), coder, (rows, codes), queries)
        return
    coder, codes = _coded(corpus, encoder)
    yield _result(corpus, f"{preset}, 1 bit", _by_codes(coder, codes, queries))


def _by_codes(coder: Encoder, codes: Codes, queries: Vectors) -> Scores:
    return np.stack([-coder.estimate(query, codes) for query in queries])


def _coded(corpus: TokenCorpus, encoder: FdeEncoder) -> tuple[Encoder, Codes]:
    """Return codes of 1 bit, made a block at a time: all documents as float would not fit."""
    coder: Encoder | None = None
    codes, first = [], []
    for block in corpus.blocks():
        rows = encoder.documents(*block)
        if coder is None:
            first.append(rows)
            if sum(map(len, first)) < min(_FITTED, corpus.documents):
                continue
            rows = np.concatenate(first)
            coder = Encoder.fit(rows, Distance.DOT, 1, 1)
        codes.append(coder.encode(rows))
    assert coder is not None
    return coder, np.concatenate(codes)


def _walked(
    corpus: TokenCorpus,
    asked: tuple[str, str],
    coder: Encoder,
    held: tuple[Vectors, Codes],
    queries: Vectors,
) -> Result:
    """Return what a walk over the ordinary graph finds that keeps no more rows than it finds."""
    (preset, must), (rows, codes) = asked, held
    n, size = rows.shape
    graph = build(
        rows,
        Distance.DOT,
        VectorConfig(size, Distance.DOT),
        seed=1,
        threads=1,
        cancelled=lambda: False,
    )
    assert graph is not None
    ordered = codes[graph.order]
    segment = _native.Segment(
        n, size, "inner_product", coder.native, ordered, 0.0, graph.native, None
    )
    rows_found = np.zeros((len(queries), DEPTH), np.uint32)
    distances = np.empty(DEPTH, np.float32)
    for query, into in zip(queries, rows_found, strict=True):
        how = Walk(DEPTH), Rescoring(0), _native.FirstRows(n), None, -np.inf
        if segment.walk(query, DEPTH, *how, into, distances)[0] < DEPTH:
            raise RuntimeError(f"a walk found fewer than {DEPTH} of {n} documents")
    found = graph.order[rows_found].astype(np.int64)
    pairs = zip(corpus.truth, found, strict=True)
    inside = float(np.mean([np.isin(best, some).mean() for best, some in pairs]))
    each = coder.row_bytes + graph.nbytes / n
    contender = f"{preset}, {coder.bits} bit, graph"
    return Result(
        f"{corpus.name}: {contender}, bytes a document of codes and links",
        must,
        "",
        f"{each:,.0f}",
        _recall(inside, corpus.kept(found)),
    )


class Depths(NamedTuple):
    """How deep each query token must look until a document comes, (q, m), and query lengths."""

    of: NDArray[np.int64]
    lengths: NDArray[np.int64]


def _token_by_token(corpus: TokenCorpus) -> Iterator[Result]:
    blocks = list(corpus.blocks())
    values = np.concatenate([block.values for block in blocks])
    lengths = np.concatenate([np.diff(block.starts) for block in blocks])
    documents = Sets(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    depths = depths_of(corpus.queries, documents)
    together, distinct = [], []
    for share in SHARES:
        wanted = np.sort(np.take_along_axis(depths.of, corpus.truth, axis=1), axis=None)
        depth = wanted[int(np.ceil(share * wanted.size)) - 1]
        together.append(f"{(depths.lengths * depth).mean():,.0f}")
        distinct.append(f"{(depths.of <= depth).sum(axis=1).mean():,.0f}")
    yield _row(corpus, "each token by itself", " / ".join(together), "")
    yield _row(corpus, "each token by itself, no document twice", " / ".join(distinct), "")


def depths_of(queries: Sets, documents: Sets) -> Depths:
    """Return at which depth of a search for a token of its own each document comes first."""
    of = np.empty((len(queries), len(documents)), dtype=np.int64)
    for place in range(len(queries)):
        nearest = np.full(len(documents), len(documents.values), dtype=np.int64)
        for products in queries.one(place) @ documents.values.T:
            best = np.maximum.reduceat(products, documents.starts[:-1])
            in_front = len(products) - np.searchsorted(np.sort(products), best, side="right")
            np.minimum(nearest, in_front + 1, out=nearest)
        of[place] = nearest
    return Depths(of, np.diff(queries.starts))
