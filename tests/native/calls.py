"""Every heavy native call, each on rows of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from palimpsest.index import _native
from palimpsest.index.config.fde import FdeConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.fde import FdeEncoder
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.segments.graph import build
from palimpsest.index.types import Distance

N, SIZE, K = 20_000, 64, 10

Call = Callable[[], object]


def native_calls(n: int = N) -> dict[str, Call]:
    """Return calls that each run for a while without touching Python, over ``n`` rows."""
    walks = n // 10  # rows of the graph
    vectors = np.random.default_rng(1).standard_normal((n, SIZE)).astype(np.float32)
    graph = build(
        vectors[:walks],
        Distance.EUCLID,
        VectorConfig(SIZE, Distance.EUCLID),
        seed=1,
        threads=2,
        cancelled=lambda: False,
    )
    assert graph is not None
    encoder = Encoder.fit(vectors, Distance.EUCLID, 4, 1)
    codes, errors = encoder.encode_with_errors(vectors)
    ordered = np.ascontiguousarray(vectors[graph.order])
    few = encoder.encode(ordered)
    flat = _native.Segment(n, SIZE, "l2", encoder.native, codes, 0.0, None, vectors)
    walked = _native.Segment(walks, SIZE, "l2", encoder.native, few, 0.0, graph.native, ordered)
    numbers, every = np.arange(n, dtype=np.uint32), np.full(n // 64 + 2, 2**64 - 1, np.uint64)
    every[-1] = 0
    among = _native.Among(n, numbers, every, None, None, 0)
    among_walked = _native.Among(walks, numbers, every, None, None, 0)
    every_row, every_walked = _native.FirstRows(n), _native.FirstRows(walks)
    to_end, whole = _native.Walk(walks), _native.Rescoring(n)
    past = _native.Walk(walks - 100, two_hops=True)
    all_rows, scores = np.empty(n, np.uint32), np.empty((1, n), np.float32)
    q, out = vectors[0], (np.empty(K, np.uint32), np.empty(K, np.float32))
    unscaled = None, -np.inf, *out
    decoded, distances = np.empty_like(vectors), np.empty(n, np.float32)
    order = np.arange(walks, dtype=np.uint32)
    short, encoded = vectors[:walks].copy(), np.empty_like(codes)
    postings = _native.Postings(
        np.tile(numbers, 20), np.tile(vectors[:, 0].copy(), 20), 0, n
    )  # twenty terms that every row has
    starts = np.arange(20, dtype=np.int64) * n
    lists = starts, starts + n
    weights, sums = np.ones(20, np.float32), np.empty(n, np.float32)
    held, alive = np.empty(20, np.int64), np.full(n // 64 + 1, 2**64 - 1, np.uint64)
    fde = FdeEncoder.make(SIZE, FdeConfig(4, 16, 10))
    sets = np.arange(0, walks + 1, walks // 100)
    fdes = np.empty((len(sets) - 1, fde.size), np.float32)
    tokens, few_starts = TokenEncoder(SIZE), np.arange(0, n + 1, 10, dtype=np.int64)
    token_rows = tokens.encode(vectors)
    documents, max_sims = numbers[: n // 10], np.empty(n // 10)
    coded = _native.CodedQuery(tokens.native, vectors[:64])
    exact_query = _native.ExactQuery(vectors[:64], "l2", False)
    as_bytes = vectors.view(np.uint8)
    one, part, part_sims = np.array([0, n]), np.empty(64, np.int64), np.empty(64)
    few_vectors, labels = vectors[:2_000].copy(), np.empty(2_000, np.uint32)
    centroids = _native.Centroids(vectors[:2_000].copy(), vectors[:40].copy())
    nearest, lists_query = np.empty(n, np.uint32), np.tile(vectors[:50], (20, 1))
    lists_coder = TokenEncoder(SIZE, 8)
    token_lists = _native.TokenLists(
        lists_coder.encode(vectors[:2_000]), np.arange(2_001) * (n // 2_000), numbers, n
    )
    asked_lists = _native.CodedQuery(lists_coder.native, lists_query)
    every_start, max_sims_of_all = np.arange(n + 1, dtype=np.int64), np.empty(n)
    return {
        "nearest": lambda: centroids.nearest(vectors, nearest),
        "lists": lambda: token_lists.closest(asked_lists, 500, K, None, all_rows),
        "compared": lambda: token_lists.compared(
            *(asked_lists, 500, K, None, coded, token_rows, every_start, K, 3.0),
            *(all_rows, max_sims_of_all),
        )[:3],  # without how long it took
        "gains": lambda: token_lists.gains(asked_lists, 500, distances),
        "encode_tokens": lambda: tokens.native.encode(vectors, token_rows, None),
        "decode_tokens": lambda: tokens.native.decode(token_rows, decoded),
        "max_sims": lambda: coded.scores(token_rows, few_starts, documents, max_sims),
        "exact_max_sims": lambda: exact_query.scores(as_bytes, few_starts, documents, max_sims),
        "parts": lambda: coded.parts(token_rows, one, 0, part, part_sims),
        "ward": lambda: _native.ward_clusters(few_vectors, 10, labels),
        "best": lambda: postings.best(*lists, weights, K, None, None, None),
        "sums": lambda: postings.sums(*lists, weights, sums),
        "counts": lambda: postings.counts(*lists, alive, None, None, held),
        "walk": lambda: walked.walk(q, K, to_end, whole, every_walked, *unscaled),
        "scan": lambda: flat.scan(q, K, whole, every_row, None, *out),
        "exact": lambda: flat.exact(q, K, every_row, None, *out),
        "scan_among": lambda: flat.scan(q, K, whole, among, None, *out),
        "exact_among": lambda: flat.exact(q, K, among, None, *out),
        "wide": lambda: walked.walk(q, K, to_end, whole, among_walked, *unscaled),
        "two_hops": lambda: walked.walk(q, K, past, whole, among_walked, *unscaled),
        "rows": lambda: among.rows(all_rows),
        "score": lambda: flat.score(vectors[:1], numbers, False, scores),
        "encode": lambda: encoder.native.encode(vectors, encoded, errors),
        "decode": lambda: encoder.native.decode(codes, decoded),
        "estimate": lambda: encoder.native.estimate(q, codes, distances),
        "documents": lambda: fde.native.documents(short, sets, fdes),
        "query": lambda: fde.native.query(short, fdes[0]),
        "build": lambda: _native.GraphBuild().run(short, "l2", order, 16, 50, 1, 1),
    }
