"""The graph builder: repeatable, connected, within its bounds, and as good as hnswlib's graphs."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.graph import Graph, build, insertion_order, local_intrinsic_dimension
from palimpsest.index.segments.searcher import Rescoring, Searcher, Walk
from palimpsest.index.types import Distance, Vectors
from tests import evaluation, oracle
from tests.conftest import Corpus

K, EF = 10, 40
ROWS = 10_000
LOWEST = 19  # niceness


def config(size: int, distance: Distance = Distance.EUCLID, **changes: Any) -> VectorConfig:
    return VectorConfig(size, distance, **changes)


def built(
    vectors: Vectors,
    distance: Distance = Distance.EUCLID,
    *,
    threads: int = 2,
    firm: Callable[[], int] = lambda: 0,
    seed: int = 1,
    **changes: Any,
) -> Graph:
    graph = build(
        vectors,
        distance,
        config(vectors.shape[1], distance, **changes),
        seed=seed,
        threads=threads,
        cancelled=lambda: False,
        firm=firm,
    )
    assert graph is not None
    return graph


def links(graph: Graph) -> NDArray[np.int64]:
    """Return all links of layer 0 as numbers."""
    width = graph.to_json()["width"]
    parts = graph.arrays()["links"].reshape(-1, width).astype(np.int64)
    return parts @ 256 ** np.arange(width)


def search(graph: Graph, vectors: Vectors, queries: Vectors, metric: str) -> list[list[int]]:
    """Return the input rows a float32 walk with ef = EF finds."""
    kept = np.ascontiguousarray(vectors[graph.order])
    n, size = kept.shape
    segment = _native.Segment(n, size, metric, None, None, 0.0, graph.native, kept)
    rows = np.empty(K, dtype=np.uint32)
    distances = np.empty(K, dtype=np.float32)
    how = Walk(EF), Rescoring(0), _native.FirstRows(n), None, -np.inf
    found = []
    for query in queries:
        hits = segment.walk(query, K, *how, rows, distances)[0]
        found.append(graph.order[rows[:hits]].tolist())
    return found


def small(n: int = 600, size: int = 12) -> Vectors:
    return np.random.default_rng(3).standard_normal((n, size)).astype(np.float32)


def check_shape(graph: Graph, n: int, M: int) -> None:
    """Links are valid, none goes to its own row or twice to another, degrees keep their bounds."""
    arrays, scalars = graph.arrays(), graph.to_json()
    assert sorted(graph.order.tolist()) == list(range(n))
    offsets, targets = arrays["offsets"].astype(np.int64), links(graph)
    degrees = offsets[1:] - offsets[:-1]
    assert len(degrees) == n
    assert len(targets) == degrees.sum()
    assert degrees.max(initial=0) <= 2 * M
    sources = np.repeat(np.arange(n), degrees)
    assert ((targets >= 0) & (targets < n) & (targets != sources)).all()
    assert len(np.unique(sources * n + targets)) == len(targets)
    assert graph.unreachable() == 0
    if scalars["top_level"] == 0:
        return
    upper_degrees = np.diff(arrays["upper_offsets"].astype(np.int64))
    upper_links = arrays["upper_links"].astype(np.int64)
    assert upper_degrees.max(initial=0) <= M
    assert len(upper_links) == upper_degrees.sum()
    assert (upper_links < len(arrays["upper_rows"])).all()
    assert (arrays["upper_rows"] < n).all()
    assert arrays["upper_rows"][0] == scalars["entry_row"]


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT, Distance.EUCLID])
@pytest.mark.parametrize("M", [4, 16])
def test_links_are_valid_and_all_rows_reached(distance: Distance, M: int) -> None:
    vectors = small()
    if distance is not Distance.EUCLID:
        vectors = oracle.normalise(vectors)
    check_shape(built(vectors, distance, M=M, ef_construction=60), len(vectors), M)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17, 65])
def test_few_rows(n: int) -> None:
    vectors = small(n)
    graph = built(vectors)
    check_shape(graph, n, 16)
    if n == 0:
        return
    found = search(graph, vectors, vectors, "l2")
    for row, rows in enumerate(found):
        assert rows[0] == row
        assert len(rows) == min(K, n)


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT, Distance.EUCLID])
@pytest.mark.parametrize("equal", [40, 300, 3_000])
def test_equal_rows_are_all_reached(distance: Distance, equal: int) -> None:
    same = np.full((equal, 8), 0.3, np.float32)
    vectors = np.concatenate([same, small(300, 8), -same[:50]])
    if distance is not Distance.EUCLID:
        vectors = oracle.normalise(vectors)
    check_shape(built(vectors, distance), len(vectors), 16)


def test_the_number_of_threads_does_not_matter() -> None:
    vectors = small(3_000, 24)
    one, two = built(vectors, threads=1), built(vectors, threads=2)
    assert one.to_json() == two.to_json()
    np.testing.assert_array_equal(one.order, two.order)
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name])


def test_how_many_threads_give_way_does_not_matter() -> None:
    vectors = small(3_000, 24)
    shares = itertools.cycle([0, 1, 4, 2])
    graphs = [
        built(vectors, threads=1),
        built(vectors, threads=1, firm=lambda: 1),
        built(vectors, threads=3, firm=lambda: 1),
        built(vectors, threads=3, firm=lambda: 3),
        built(vectors, threads=3, firm=lambda: next(shares)),
    ]
    for graph in graphs[1:]:
        for name, array in graphs[0].arrays().items():
            np.testing.assert_array_equal(array, graph.arrays()[name])


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
@pytest.mark.parametrize("firm", [0, 2])
def test_firm_threads_do_the_work_at_the_priority_of_the_program(firm: int) -> None:
    """Seconds that threads of either priority have worked, by the last look while it is built."""
    seconds = {True: 0.0, False: 0.0}  # by whether they give way

    # numbers as /proc has them, which are others than ours in a namespace that has not mounted it
    def own() -> str:
        return os.readlink("/proc/thread-self").rpartition("/")[2]

    caller = own()
    others = set(os.listdir("/proc/self/task")) - {caller}
    vectors = small(12_000, 96)

    def worked(task: str) -> tuple[bool, float]:
        fields = Path(f"/proc/self/task/{task}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return int(fields[16]) == LOWEST, ticks / os.sysconf("SC_CLK_TCK")

    def look() -> int:
        sums = {True: 0.0, False: 0.0}
        # nor the thread that looks, which works the more the longer all of it takes
        for task in set(os.listdir("/proc/self/task")) - others - {own()}:
            with suppress(OSError):  # it has ended meanwhile
                gives_way, time_worked = worked(task)
                sums[gives_way] += time_worked
        for kind, total in sums.items():
            seconds[kind] = max(seconds[kind], total)
        return firm

    _, before = worked(caller)
    built(vectors, threads=2, firm=look)
    seconds[False] -= before
    assert sum(seconds.values()) > 0
    assert seconds[firm == 0] > 10 * seconds[firm != 0]


def test_the_seed_does() -> None:
    vectors = small(500)
    one, other = built(vectors, seed=1), built(vectors, seed=2)
    assert links(one).tolist() != links(other).tolist()


def test_rows_come_out_breadth_first() -> None:
    graph = built(small())
    offsets, targets = graph.arrays()["offsets"], links(graph)
    assert graph.to_json()["entry_row"] == 0
    first_met = np.full(600, 600)
    first_met[0] = 0
    for row in range(600):
        for target in targets[offsets[row] : offsets[row + 1]]:
            first_met[target] = min(first_met[target], row)
    assert (np.diff(first_met) >= 0).all()


def test_a_cancelled_build_is_none() -> None:
    vectors = small(20_000, 64)
    graph = build(vectors, Distance.EUCLID, config(64), seed=1, threads=1, cancelled=lambda: True)
    assert graph is None


def test_a_graph_comes_back_from_what_it_stores() -> None:
    vectors = small()
    graph = built(vectors)
    again = Graph.from_arrays(graph.to_json(), graph.arrays())
    assert again.unreachable() == 0
    assert again.nbytes == graph.nbytes > 0


# --- insertion order -----------------------------------------------------------------------------


def test_orders_name_every_row_once() -> None:
    vectors = small(500)
    for order in ("shuffle", "lid_desc"):
        rows = insertion_order(vectors, config(12, order=order), 7)
        assert sorted(rows.tolist()) == list(range(500))
        np.testing.assert_array_equal(rows, insertion_order(vectors, config(12, order=order), 7))


def test_lid_is_the_dimension_rows_live_in() -> None:
    rng = np.random.default_rng(8)
    flat = rng.uniform(size=(2_000, 2)) @ rng.standard_normal((2, 40))
    deep = rng.uniform(size=(2_000, 10)) @ rng.standard_normal((10, 40)) + 5
    vectors = np.concatenate([flat, deep]).astype(np.float32)
    lid = local_intrinsic_dimension(vectors, np.arange(4_000, dtype=np.uint32))
    assert np.median(lid[:2_000]) == pytest.approx(2, rel=0.1)
    assert 6 < np.median(lid[2_000:]) < 10
    # whether a row is in the sample makes no difference
    some = local_intrinsic_dimension(vectors, np.arange(0, 4_000, 2, dtype=np.uint32))
    assert np.median(some[::2] / some[1::2]) == pytest.approx(1, rel=0.1)
    order = insertion_order(vectors, config(40, order="lid_desc"), 1)
    assert (order[:1_500] >= 2_000).mean() > 0.95  # the rows of high dimension come first


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"M": 1}, "M or ef_construction"),
        ({"M": 65}, "M or ef_construction"),
        ({"ef_construction": 0}, "M or ef_construction"),
        ({"metric": "l1"}, "graphs are built for"),
        ({"metric": "cosine"}, "metric must be"),
        ({"order": np.zeros(9, np.uint32)}, "order must name every vector"),
        ({"order": np.full(10, 10, np.uint32)}, "order points outside"),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], says: str) -> None:
    arguments: dict[str, Any] = {
        "vectors": small(10),
        "metric": "l2",
        "order": np.arange(10, dtype=np.uint32),
        "M": 16,
        "ef_construction": 50,
        "seed": 1,
        "threads": 1,
    }
    with pytest.raises(ValueError, match=says):
        _native.GraphBuild().run(**arguments | changes)


def test_a_graph_not_built_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="not built"):
        _native.GraphBuild().take()


# --- against hnswlib ------------------------------------------------------------------------------


def hnswlib_search(vectors: Vectors, queries: Vectors, space: str) -> list[list[int]]:
    index = hnswlib.Index(space=space, dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=16, ef_construction=200, random_seed=1)
    index.add_items(vectors, num_threads=2)
    index.set_ef(EF)
    found: list[list[int]] = index.knn_query(queries, k=K, num_threads=1)[0].tolist()
    return found


def sift() -> tuple[Vectors, Vectors]:
    """Return SIFT descriptors, or bytes of like structure where they are not at hand."""
    found = evaluation.find("ann/sift20k_base_u8.npy", "ann/sift20k_query_u8.npy")
    if found is not None:
        base, queries = (np.load(path) for path in found)
        return base[:ROWS].astype(np.float32), queries[:200].astype(np.float32)
    rng = np.random.default_rng(9)
    axes = rng.gamma(1, 8, (20, 128)) * (rng.random((20, 128)) < 0.3)
    mixed = rng.gamma(0.7, 1, (ROWS + 200, 20)) @ axes + rng.gamma(1, 4, (ROWS + 200, 128))
    vectors = np.clip(mixed, 0, 255).round().astype(np.float32)
    return vectors[:ROWS], vectors[ROWS:]


def test_recall_on_text_is_that_of_hnswlib(corpus: Corpus) -> None:
    vectors, queries = corpus.base[:ROWS], corpus.queries
    truth = oracle.distances(queries, vectors, Distance.COSINE)
    graph = built(vectors, Distance.COSINE)
    check_shape(graph, len(vectors), 16)
    ours = oracle.recall(search(graph, vectors, queries, "inner_product"), truth, K)
    theirs = oracle.recall(hnswlib_search(vectors, queries, "ip"), truth, K)
    assert ours >= theirs - 0.01
    assert ours > 0.9


def test_recall_on_sift_is_that_of_hnswlib() -> None:
    vectors, queries = sift()
    truth = oracle.distances(queries, vectors, Distance.EUCLID)
    graph = built(vectors)
    check_shape(graph, len(vectors), 16)
    ours = oracle.recall(search(graph, vectors, queries, "l2"), truth, K)
    theirs = oracle.recall(hnswlib_search(vectors, queries, "l2"), truth, K)
    assert ours >= theirs - 0.01
    assert ours > 0.9


def test_thousands_of_equal_rows_are_all_met() -> None:
    graph = built(np.ones((4_000, 32), dtype=np.float32), threads=1)
    assert graph.unreachable() == 0


def test_one_outlier_costs_no_recall(rng: np.random.Generator) -> None:
    """The centre of codes and of the builder's codes must not follow a single row."""
    vectors = rng.normal(size=(5_000, 32)).astype(np.float32)
    vectors[7] = 1e6
    graph = built(vectors)
    kept = np.ascontiguousarray(vectors[graph.order])
    encoder = Encoder.fit(kept, Distance.EUCLID, 4, seed=0)
    searcher = Searcher(
        Distance.EUCLID, 32, kept, encoder=encoder, codes=encoder.encode(kept), graph=graph
    )
    found = 0
    for query in rng.normal(size=(50, 32)).astype(np.float32):
        rows = searcher.walk(query, K, Walk(128), Rescoring(30), searcher.first(len(vectors))).rows
        exact = np.argsort(((vectors - query) ** 2).sum(axis=1))[:K]
        found += len(set(graph.order[rows].tolist()) & set(exact.tolist()))
    assert found / (50 * K) >= 0.97
