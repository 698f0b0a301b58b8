"""Heavy calls leave the interpreter to other threads while they run, so searches overlap."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from index import _native
from index.config import VectorConfig
from index.encoding.planes import Encoder
from index.segments.graph import build
from index.types import Distance

N, SIZE, K = 20_000, 64, 10
ATTEMPTS = 200

Call = Callable[[], object]


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    """Return calls that each run for a while without touching Python."""
    vectors = np.random.default_rng(1).standard_normal((N, SIZE)).astype(np.float32)
    graph = build(
        vectors[:2_000],
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
    flat = _native.Segment(N, SIZE, "l2", encoder.native, codes, 0.0, None, vectors)
    walked = _native.Segment(2_000, SIZE, "l2", encoder.native, few, 0.0, graph.native, ordered)
    numbers, every = np.arange(N, dtype=np.uint32), np.full(N // 64 + 2, 2**64 - 1, np.uint64)
    every[-1] = 0
    among = _native.Among(N, numbers, every, None, None, 0)
    among_walked = _native.Among(2_000, numbers, every, None, None, 0)
    wide, past = (False, 2_000, 2_001, 0.0), (True, 2_000, 2_001, 0.0)
    all_rows, scores = np.empty(N, np.uint32), np.empty((1, N), np.float32)
    q, many = vectors[0], vectors[:300]
    out = np.empty(K, np.uint32), np.empty(K, np.float32)
    table = np.empty((300, K), np.uint32), np.empty((300, K), np.float32)
    counts = np.empty((300, 4), np.uint64)
    decoded, distances = np.empty_like(vectors), np.empty(N, np.float32)
    order = np.arange(2_000, dtype=np.uint32)
    short, encoded = vectors[:2_000].copy(), np.empty_like(codes)
    return {
        "search": lambda: walked.search(q, K, 2_000, 2_000, None, *out),
        "search_many": lambda: walked.search_many(many, K, 50, 10, None, *table, counts),
        "scan": lambda: flat.scan(q, N, K, N, None, *out),
        "exact": lambda: flat.exact(q, N, K, None, *out),
        "scan_among": lambda: flat.scan_among(q, K, N, among, *out),
        "exact_among": lambda: flat.exact_among(q, K, among, *out),
        "wide": lambda: walked.search_among(q, K, 2_000, 2_000, among_walked, *wide, *out),
        "two_hops": lambda: walked.search_among(q, K, 1_900, 1_900, among_walked, *past, *out),
        "rows": lambda: among.rows(all_rows),
        "score": lambda: flat.score(vectors[:1], numbers, False, scores),
        "encode": lambda: encoder.native.encode(vectors, encoded, errors),
        "decode": lambda: encoder.native.decode(codes, decoded),
        "estimate": lambda: encoder.native.estimate(q, codes, distances),
        "build": lambda: _native.GraphBuild().run(short, "l2", order, 16, 50, 1, 1),
    }


@pytest.fixture
def no_forced_switches() -> Iterator[None]:
    """Let threads lose the interpreter only where they give it away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(3_600)
    yield
    sys.setswitchinterval(before)


def overlaps(first: Call, second: Call) -> bool:
    """Tell whether ``second`` was called, in this thread, while another was inside ``first``."""
    entered = [0]  # calls of `second` so far
    seen: list[int] = []  # that number right before and right after `first`
    started, done = threading.Event(), threading.Event()

    def run() -> None:
        started.set()
        seen.append(entered[0])
        first()
        seen.append(entered[0])
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    while not done.is_set():
        entered[0] += 1
        second()
        time.sleep(0)  # gives the interpreter away, as nothing else does
    thread.join()
    return seen[1] > seen[0]


@pytest.mark.usefixtures("no_forced_switches")
@pytest.mark.parametrize(
    "name",
    [
        "search",
        "search_many",
        "scan",
        "exact",
        "scan_among",
        "exact_among",
        "wide",
        "two_hops",
        "rows",
        "score",
        "encode",
        "decode",
        "estimate",
        "build",
    ],
)
def test_another_thread_runs_meanwhile(calls: dict[str, Call], name: str) -> None:
    """Python code runs between the start and the end of one call; a long enough one shows it."""
    assert any(overlaps(calls[name], lambda: None) for _ in range(ATTEMPTS))


@pytest.mark.usefixtures("no_forced_switches")
@pytest.mark.parametrize("name", ["search", "search_many", "scan", "exact"])
def test_two_searches_overlap(calls: dict[str, Call], name: str) -> None:
    assert any(overlaps(calls[name], calls["estimate"]) for _ in range(ATTEMPTS))


@pytest.mark.usefixtures("no_forced_switches")
def test_calls_that_keep_the_interpreter_do_not_overlap() -> None:
    """The test of the test: without a call that lets go, nothing else runs."""
    text = b"[" + b"1.5," * 50_000 + b"1]"
    out = np.empty(50_001, np.float32)
    assert not any(
        overlaps(lambda: _native.parse_floats_into(text, out), lambda: None) for _ in range(50)
    )
