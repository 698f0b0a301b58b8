"""The compiled core, as Python sees it. Arrays are C-contiguous; every heavy call frees the GIL.

ValueError: shapes or values that do not fit together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class Stop:
    def __init__(self) -> None: ...
    def set(self) -> None: ...
    def is_set(self) -> bool: ...

class Stopped(Exception): ...  # from every call that searches, in a thread whose stop is set

def make_current(stop: Stop | None) -> None: ...
def is_stopped() -> bool: ...
def row_sums(seed: int, rows: list[tuple[Any, ...]]) -> list[int]: ...
def column_sums(seed: int, columns: Sequence[list[Any]]) -> list[int]: ...
def other_sums(
    seed: int,
    rows: list[tuple[Any, ...]],
    columns: list[int],
    at: int,
    may_lack: bool = False,
) -> list[int]: ...
def simd_level() -> str: ...
def simd_levels() -> list[str]: ...
def padded_size(size: int) -> int: ...

class Encoder:
    def __init__(
        self,
        size: int,
        bits: int,
        metric: str,
        centroid: NDArray[np.float32],
        signs: NDArray[np.int8],
    ) -> None: ...
    @property
    def row_bytes(self) -> int: ...
    def encode(
        self,
        vectors: NDArray[np.float32],
        rows: NDArray[np.uint8],
        errors: NDArray[np.float32] | None,
    ) -> None: ...
    def decode(self, rows: NDArray[np.uint8], vectors: NDArray[np.float32]) -> None: ...
    def estimate(
        self, query: NDArray[np.float32], rows: NDArray[np.uint8], out: NDArray[np.float32]
    ) -> None: ...

class Graph:
    def __init__(
        self,
        offsets: NDArray[np.uint32],
        links: NDArray[np.uint8],
        width: int,
        top_level: int,
        entry_row: int,
        upper_rows: NDArray[np.uint32],
        upper_down: NDArray[np.uint32],
        upper_offsets: NDArray[np.uint32],
        upper_links: NDArray[np.uint32],
    ) -> None: ...
    def unreachable(self) -> int: ...
    @property
    def has_copies(self) -> bool: ...

class GraphBuild:
    def __init__(self) -> None: ...
    def cancel(self) -> None: ...
    def share(self, threads: int) -> None: ...
    def run(
        self,
        vectors: NDArray[np.float32],
        metric: str,
        order: NDArray[np.uint32],
        M: int,
        ef_construction: int,
        seed: int,
        threads: int,
    ) -> bool: ...
    def take(self) -> dict[str, Any]: ...

def roaring_of(flags: NDArray[np.bool_]) -> bytes: ...
def spread_bitmap(serialised: bytes, words: NDArray[np.uint64]) -> None: ...

class Among:
    """Rows of a part whose points are among those of ``points``, bits by number.

    The last word of ``points`` is zero. ``row_of`` (rows by number from ``base`` on, a multiple of
    64) spares testing every row.
    """

    def __init__(
        self,
        n: int,
        numbers: NDArray[np.uint32],
        points: NDArray[np.uint64],
        live: NDArray[np.uint64] | None,
        row_of: NDArray[np.uint32] | None,
        base: int,
    ) -> None: ...
    def rows(self, out: NDArray[np.uint32]) -> int: ...
    def estimate(self, tested: int) -> int: ...

class Segment:
    """Hits go into ``rows`` and ``distances``; calls answer (hits, visited, scored, rescored).

    With ``factors``, one per row or more, a row's distance is (distance - shift) * factor.
    Rescoring ends once a better row is unlikely; with ``every``, after the last candidate.
    """

    def __init__(
        self,
        n: int,
        size: int,
        metric: str,
        encoder: Encoder | None,
        codes: NDArray[np.uint8] | None,
        error_scale: float,
        graph: Graph | None,
        kept: NDArray[Any] | None,
    ) -> None: ...
    def search(
        self,
        query: NDArray[np.float32],
        k: int,
        ef: int,
        rescored: int,
        allowed: NDArray[np.uint64] | None,
        rows: NDArray[np.uint32],
        distances: NDArray[np.float32],
        factors: NDArray[np.float32] | None = None,
        shift: float = 0.0,
        every: bool = False,
        sure: int = 0,
        usual: float = ...,
    ) -> tuple[int, int, int, int, int, int]: ...
    def search_many(
        self,
        queries: NDArray[np.float32],
        k: int,
        ef: int,
        rescored: int,
        allowed: NDArray[np.uint64] | None,
        rows: NDArray[np.uint32],
        distances: NDArray[np.float32],
        counts: NDArray[np.uint64],
    ) -> None: ...
    def scan(
        self,
        query: NDArray[np.float32],
        n: int,
        k: int,
        rescored: int,
        allowed: NDArray[np.uint64] | None,
        rows: NDArray[np.uint32],
        distances: NDArray[np.float32],
        factors: NDArray[np.float32] | None = None,
        shift: float = 0.0,
        every: bool = False,
        sure: int = 0,
    ) -> tuple[int, int, int, int, int, int]: ...
    def exact(
        self,
        query: NDArray[np.float32],
        n: int,
        k: int,
        allowed: NDArray[np.uint64] | None,
        rows: NDArray[np.uint32],
        distances: NDArray[np.float32],
        factors: NDArray[np.float32] | None = None,
        shift: float = 0.0,
    ) -> tuple[int, int, int, int, int, int]: ...
    def search_among(
        self,
        query: NDArray[np.float32],
        k: int,
        ef: int,
        rescored: int,
        among: Among,
        two_hops: bool,
        most_scored: int,
        frontier: int,
        least_share: float,
        rows: NDArray[np.uint32],
        distances: NDArray[np.float32],
        factors: NDArray[np.float32] | None = None,
        shift: float = 0.0,
        every: bool = False,
        sure: int = 0,
    ) -> tuple[int, int, int, int, int, int]: ...
    def scan_among(
        self,
        query: NDArray[np.float32],
        k: int,
        rescored: int,
        among: Among,
        rows: NDArray[np.uint32],
        distances: NDArray[np.float32],
        factors: NDArray[np.float32] | None = None,
        shift: float = 0.0,
        every: bool = False,
        sure: int = 0,
    ) -> tuple[int, int, int, int, int, int]: ...
    def exact_among(
        self,
        query: NDArray[np.float32],
        k: int,
        among: Among,
        rows: NDArray[np.uint32],
        distances: NDArray[np.float32],
        factors: NDArray[np.float32] | None = None,
        shift: float = 0.0,
    ) -> tuple[int, int, int, int, int, int]: ...
    def score(
        self,
        queries: NDArray[np.float32],
        rows: NDArray[np.uint32],
        by_codes: bool,
        out: NDArray[np.float32],
    ) -> None: ...

def invert_rows(
    indptr: NDArray[np.int64],
    first_row: int,
    indices: NDArray[np.uint32],
    values: NDArray[np.float32],
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint32], NDArray[np.float32]]:
    """Return terms (t,), where the postings of each start (t + 1,), their rows and values."""

class Postings:
    """Lists of postings are given by ``starts`` and ``stops``, one pair per term of a query."""

    def __init__(
        self, rows: NDArray[np.uint32], values: NDArray[np.float32], first: int, last: int
    ) -> None: ...
    def best(
        self,
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        weights: NDArray[np.float32],
        k: int,
        alive: NDArray[np.uint64] | None,
        numbers: NDArray[np.uint32] | None,
        chosen: NDArray[np.uint8] | None,
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32], int]: ...
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
        alive: NDArray[np.uint64] | None,
        numbers: NDArray[np.uint32] | None,
        chosen: NDArray[np.uint8] | None,
        out: NDArray[np.int64],
    ) -> None: ...

def parse_floats_into(text: bytes, out: NDArray[np.float32]) -> int: ...
def parse_rows_into(texts: list[bytes], out: NDArray[np.float32]) -> tuple[int, int]: ...
def format_row(values: NDArray[np.float32]) -> bytes: ...
def kernel_dot(
    level: str,
    bits: int,
    codes: NDArray[np.uint8],
    query: NDArray[np.uint8],
    padded: int,
    out: NDArray[np.int32],
) -> None: ...
def kernel_rotate(
    level: str, v: NDArray[np.float32], signs: NDArray[np.float32], inverse: bool
) -> None: ...
def kernel_encode(
    level: str, residual: NDArray[np.float32], bits: int, scale: float, code: NDArray[np.uint8]
) -> tuple[float, float, float]: ...
def kernel_distance(
    level: str, metric: str, type: int, a: NDArray[np.float32], b: NDArray[np.uint8]
) -> float: ...
