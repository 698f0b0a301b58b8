# The native core as Python sees it (index/native/python binds it). Arrays come in contiguous and of
# these types; what does not fit raises ValueError before native code reads it.

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Codes, Distances, Numbers, Rows, Vector, Vectors, Words

def simd_level() -> str: ...

# --- stops ---

class Stop:
    def set(self) -> None: ...
    def is_set(self) -> bool: ...

class Stopped(Exception): ...

def make_current(stop: Stop | None) -> None: ...
def is_stopped() -> bool: ...

# --- encoding and graphs ---

def padded_size(size: int) -> int: ...

class Encoder:
    def __init__(
        self,
        size: int,
        bits: int,
        metric: str,
        centroid: Vector,  # (size,)
        signs: NDArray[np.int8],  # (4, padded_size(size)) of -1 and 1
    ) -> None: ...
    @property
    def row_bytes(self) -> int: ...
    def encode(self, vectors: Vectors, rows: Codes, errors: Distances | None) -> None: ...
    def decode(self, rows: Codes, vectors: Vectors) -> None: ...
    def estimate(self, query: Vector, rows: Codes, out: Distances) -> None: ...

class FdeEncoder:
    def __init__(
        self,
        final: int,  # 0 for none
        hyperplanes: NDArray[np.int8],  # (repetitions, k_sim, size)
        signs: NDArray[np.int8],  # (repetitions, projected, size) of -1 and 1; projected 0: none
        places: NDArray[np.uint32],  # (dimensions before the final projection,), or none
        place_signs: NDArray[np.int8],  # the same
    ) -> None: ...
    # values (n, size), starts (m + 1,), out (m, dimensions)
    def documents(self, values: Vectors, starts: NDArray[np.int64], out: Vectors) -> None: ...
    def query(self, tokens: Vectors, out: Vector) -> None: ...

class Centroids:
    # values (k, size), heads (g, size) that they are grouped by, none where all are compared
    def __init__(self, values: Vectors, heads: Vectors) -> None: ...
    # rows (n, size), out (n,)
    def nearest(self, rows: Vectors, out: NDArray[np.uint32]) -> None: ...

class TokenLists:
    def __init__(
        self,
        centroids: Codes,  # (k, row bytes) of 8 bits
        starts: NDArray[np.int64],  # (k + 1,)
        rows: Rows,  # (starts[k],), below n
        n: int,
    ) -> None: ...
    # allowed and out (n,); returns how many rows were written, touched, and looked at in lists
    def closest(
        self,
        query: CodedQuery,
        probes: int,
        wanted: int,
        allowed: NDArray[np.uint8] | None,
        out: Rows,
    ) -> tuple[int, int, int]: ...
    # of sets by codes (m, row bytes) that start at starts (n + 1,); out and scores (n,). Returns
    # how many rows were written, touched, looked at in lists, and the seconds that comparing took
    def compared(
        self,
        query: CodedQuery,
        probes: int,
        wanted: int,
        allowed: NDArray[np.uint8] | None,
        tokens: CodedQuery,
        codes: Codes,
        starts: NDArray[np.int64],
        k: int,
        deviations: float,
        out: Rows,
        scores: NDArray[np.float64],
    ) -> tuple[int, int, int, float]: ...
    # out (n,)
    def gains(self, query: CodedQuery, probes: int, out: NDArray[np.float32]) -> None: ...

class Graph:
    def __init__(
        self,
        offsets: NDArray[np.uint32],  # (n + 1,)
        links: NDArray[np.uint8],  # (offsets[n] * width,)
        width: int,
        top_level: int,
        entry_row: int,
        upper_rows: NDArray[np.uint32],
        upper_down: NDArray[np.uint32],
        upper_offsets: NDArray[np.uint32],
        upper_links: NDArray[np.uint32],
    ) -> None: ...
    @property
    def has_copies(self) -> bool: ...
    def unreachable(self) -> int: ...

class GraphBuild:
    def cancel(self) -> None: ...
    def share(self, threads: int) -> None: ...
    def run(
        self,
        vectors: Vectors,
        metric: str,
        order: Rows,
        M: int,  # noqa: N803
        ef_construction: int,
        seed: int,
        threads: int,
    ) -> bool: ...
    def take(self) -> dict[str, Any]: ...

# --- searches of a segment ---

class FirstRows:
    # the first n rows, less those whose bit in `live` is not set
    def __init__(self, n: int, live: Words | None = None) -> None: ...

class Among(FirstRows):
    # of those the ones whose point is in a set: bit i of `points` stands for point i, and its last
    # word is zero; row_of[i] is the row of point base + i, None where rows are to be tested
    def __init__(
        self,
        n: int,
        numbers: Numbers,  # (n,) or more, the points of the rows
        points: Words,
        live: Words | None,
        row_of: Rows | None,
        base: int,
    ) -> None: ...
    def rows(self, out: Rows) -> int: ...
    def estimate(self, tested: int) -> int: ...

class Walk:
    # over the graph (native/filtered.h); by default it never gives up
    def __init__(
        self,
        ef: int,
        two_hops: bool = False,
        most_scored: int = ...,  # rows, after which the wide walk gives up
        frontier: int = ...,  # rows the wide walk keeps for expansion
        least_share: float = 0.0,  # of the rows around the entry: where fewer are allowed it does
    ) -> None: ...
    @property
    def ef(self) -> int: ...
    @property
    def two_hops(self) -> bool: ...
    @property
    def most_scored(self) -> int: ...
    @property
    def frontier(self) -> int: ...
    @property
    def least_share(self) -> float: ...

class Rescoring:
    # The `most` closest candidates by code are recomputed from kept rows: every one, or only until
    # a better row is unlikely. Where it stays open whether the first `sure` results are right, more
    # are, up to all rows; 0: never more than `most`.
    def __init__(self, most: int, every: bool = False, sure: int = 0) -> None: ...
    @property
    def most(self) -> int: ...
    @property
    def every(self) -> bool: ...
    @property
    def sure(self) -> int: ...

class Scaling:
    # A row's distance (minus an inner product) becomes (distance - shift) * factors[row], from
    # codes and kept rows alike. Searches raise ValueError where it is no inner product.
    def __init__(
        self,
        factors: NDArray[np.float32],  # (n,) or more, positive and finite (not looked at)
        shift: float,  # finite
    ) -> None: ...
    @property
    def factors(self) -> NDArray[np.float32]: ...
    @property
    def shift(self) -> float: ...

# hits, visited, scored, rescored, extended, scanned
_Counts = tuple[int, int, int, int, int, int]

class SearchThreads:
    # of the caller's own priority, for several short searches at once
    def __init__(self, count: int) -> None: ...
    @property
    def count(self) -> int: ...

class SegmentRows:
    # What a segment is to other native code; made as a Segment only.
    ...

class Segment(SegmentRows):
    # Searches write the k closest hits into `rows` and `distances`, (k,) or more each.
    def __init__(
        self,
        n: int,
        size: int,
        metric: str,
        encoder: Encoder | None,
        codes: Codes | None,  # (n, encoder.row_bytes)
        error_scale: float,
        graph: Graph | None,
        kept: NDArray[Any] | None,  # (n, size) float32 or float16, (n, size + 4) uint8
    ) -> None: ...
    def walk(
        self,
        query: Vector,
        k: int,
        walk: Walk,
        rescoring: Rescoring,
        among: FirstRows,
        scaling: Scaling | None,
        usual: float,
        rows: Rows,
        distances: Distances,
    ) -> _Counts: ...
    def walk_each(
        self,
        queries: Vectors,
        k: int,
        walk: Walk,
        rescoring: Rescoring,
        among: FirstRows,
        usual: float,
        threads: SearchThreads,
        rows: NDArray[np.uint32],  # (m, k)
        distances: NDArray[np.float32],  # (m, k)
        counts: NDArray[np.uint64],  # (m, 6): what walk returns
    ) -> None: ...
    def scan(
        self,
        query: Vector,
        k: int,
        rescoring: Rescoring,
        among: FirstRows,
        scaling: Scaling | None,
        rows: Rows,
        distances: Distances,
    ) -> _Counts: ...
    def exact(
        self,
        query: Vector,
        k: int,
        among: FirstRows,
        scaling: Scaling | None,
        rows: Rows,
        distances: Distances,
    ) -> _Counts: ...
    def score(self, queries: Vectors, rows: Rows, by_codes: bool, out: Distances) -> None: ...

# --- ready searches ---

# Of contiguous rows (d,) of float32; the second scales one of such a squared length to 1.
def squared_length(vector: Vector) -> float: ...
def to_unit(vector: Vector, squared_length: float, out: Vector) -> None: ...

# Visited, scored, rescored, extended, scanned; nanoseconds of planning, of walks, of merging.
_Told: TypeAlias = tuple[int, int, int, int, int, int, int, int]

class ReadySearch:
    def __init__(
        self,
        size: int,
        fetch: int,  # rows that are wanted of every part, and one more
        offset: int,
        k: int,
        farthest: float,
        is_cosine: bool,
        is_dot: bool,
    ) -> None: ...
    def add(
        self,
        segment: Segment,
        walk: Walk,
        rescoring: Rescoring,
        among: FirstRows,
        usual: float,
        ids: NDArray[Any],  # (n,) uint64 or (n, 17) uint8
        numbers: Rows,
        slots: NDArray[np.uint64],
        arrays: object,  # kept alive: what holds these arrays
    ) -> None: ...
    # Ids (those of 17 bytes as such), slots and what was done; distances and numbers are written.
    def find(
        self, query: Vector, distances: Distances, numbers: Rows
    ) -> tuple[list[Any], list[int], _Told] | None: ...
    def answer_texts(
        self,
        texts: Sequence[tuple[bytes, int, int]],  # a list: each a text, and where the vector is
        seqs: NDArray[np.uint64],
        is_similarity: bool,
        threads: SearchThreads,
    ) -> list[tuple[bytes, int, _Told] | None]: ...

# --- sets of vectors ---

class TokenCoder:
    def __init__(
        self,
        size: int,
        bits: int,  # 2, 4 or 8
        signs: NDArray[np.int8],  # (4, padded_size(size)) of -1 and 1
    ) -> None: ...
    @property
    def row_bytes(self) -> int: ...
    def encode(self, vectors: Vectors, rows: Codes, errors: Distances | None) -> None: ...
    def decode(self, rows: Codes, vectors: Vectors) -> None: ...

class CodedQuery:
    # rows are codes of the coder; `candidates` and `row` are places in `starts`
    def __init__(self, coder: TokenCoder, tokens: Vectors) -> None: ...
    def scores(
        self,
        rows: Codes,
        starts: NDArray[np.int64],
        candidates: Rows,
        out: NDArray[np.float64],
    ) -> None: ...
    # the vector that matches the query as a whole; those of each token go into the arrays
    def parts(
        self,
        rows: Codes,
        starts: NDArray[np.int64],
        row: int,
        part: NDArray[np.int64],
        similarity: NDArray[np.float64],
    ) -> int: ...

class ExactQuery:
    # rows are the bytes of float32 vectors, or of float16 ones
    def __init__(self, tokens: Vectors, metric: str, halves: bool) -> None: ...
    def scores(
        self,
        rows: NDArray[np.uint8],
        starts: NDArray[np.int64],
        candidates: Rows,
        out: NDArray[np.float64],
    ) -> None: ...
    def parts(
        self,
        rows: NDArray[np.uint8],
        starts: NDArray[np.int64],
        row: int,
        part: NDArray[np.int64],
        similarity: NDArray[np.float64],
    ) -> int: ...

# labels[i] is the cluster of vector i, numbered by first members
def ward_clusters(vectors: Vectors, clusters: int, labels: NDArray[np.uint32]) -> None: ...

# --- sparse rows ---

def invert_rows(
    indptr: NDArray[np.int64],
    first_row: int,
    indices: NDArray[np.uint32],
    values: NDArray[np.float32],
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]: ...

class Postings:
    # of the rows from `first` up to `last`; a query's term has those from starts[i] to stops[i]
    def __init__(self, rows: Rows, values: NDArray[np.float32], first: int, last: int) -> None: ...
    def best(
        self,
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        weights: NDArray[np.float32],
        k: int,
        alive: Words | None,
        numbers: Numbers | None,
        chosen: NDArray[np.uint8] | None,
    ) -> tuple[Rows, Distances, int]: ...
    def sums(
        self,
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        weights: NDArray[np.float32],
        out: NDArray[np.float32],
    ) -> None: ...
    def counts(
        self,
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        alive: Words | None,
        numbers: Numbers | None,
        chosen: NDArray[np.uint8] | None,
        out: NDArray[np.int64],
    ) -> None: ...

# --- lists ---

# Rows in one order, as many of the closest as `places` (3, count) and `distances` have room for:
# the part of each, its row there, and the number of its point. `rank` takes the rows, distances and
# numbers of parts; of equally close ones the lower number comes first. `interleave` takes places,
# distances and the count of parts of lists; of equally close ones the one higher in its list comes
# first. `gather` writes what a column of each part holds of the rows.
def rank(
    parts: list[tuple[Rows, Distances, Numbers]], places: NDArray[np.uint32], distances: Distances
) -> None: ...
def interleave(
    lists: list[tuple[NDArray[np.uint32], Distances, int]],
    places: NDArray[np.uint32],
    distances: Distances,
) -> None: ...
def gather(
    columns: list[NDArray[np.uint64]], places: NDArray[np.uint32], out: NDArray[np.uint64]
) -> None: ...

# --- bitmaps, checksums, text ---

def roaring_of(flags: NDArray[np.bool_]) -> bytes: ...
def spread_bitmap(serialised: bytes, words: Words) -> None: ...
def row_sums(seed: int, rows: list[Any]) -> list[int]: ...
def column_sums(seed: int, columns: Sequence[list[Any]]) -> list[int]: ...
def other_sums(
    seed: int, rows: list[Any], columns: list[int], at: int, may_lack: bool = False
) -> list[int]: ...
def most_numbers(text: bytes) -> int: ...
def parse_floats_into(text: bytes, out: Vector) -> int: ...
def parse_rows_into(texts: list[bytes], out: Vectors) -> tuple[int, int]: ...
def format_row(values: Vector) -> bytes: ...
def parse_sets_into(
    texts: list[bytes],
    out: Vectors,
    ends: NDArray[np.int64],  # (texts,)
) -> tuple[int, int, int]: ...
def format_rows(values: Vectors) -> bytes: ...
