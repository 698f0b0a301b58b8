"""Batches of exact searches whose clients leave: how soon the cores are free again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from palimpsest.index import Database
from tests.api.leaving import asking, busy, cpu_seconds, exact_batch, request_of
from tests.api.served import serving
from tests.bench.report import Result
from tests.points import batch_of, config_of

_ROWS, _SIZE = 200_000, 384
_CLIENTS, _QUERIES = 200, 100
_BLOCK = 20_000
_PATH = "/collections/c/points/query/batch"
_QUIET = 0.05  # of a core: what an idle server takes at most


def measure() -> Iterator[Result]:
    """Yield the rows."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        _fill(data)
        with serving(data) as server:
            queries = np.random.default_rng(2).standard_normal((_QUERIES, _SIZE))
            request = request_of("POST", _PATH, exact_batch(queries.astype(np.float32)))
            pid = server.process.pid
            with asking(server, [request] * _CLIENTS):
                meanwhile = busy(pid, 2)
            spent, seconds = _until_quiet(pid)
            yield Result(
                f"{_CLIENTS} abandoned batches of {_QUERIES} exact queries, "
                f"{_ROWS:,} x {_SIZE}: cores free again",
                "< 1 s",
                "",
                f"{seconds:.2f} s, {spent:.2f} s of CPU ({meanwhile:.1f} cores before)",
            )


def _until_quiet(pid: int) -> tuple[float, float]:
    """Return the seconds of CPU and of time until a process takes next to nothing."""
    started, before = time.monotonic(), cpu_seconds(pid)
    while busy(pid, 0.2) > _QUIET:
        assert time.monotonic() - started < 120
    return cpu_seconds(pid) - before, time.monotonic() - started - 0.2


def _fill(data: Path) -> None:
    rng = np.random.default_rng(1)
    with Database.open(data) as database:
        collection = database.create("c", config_of(_SIZE, M=0, seal_rows=_ROWS))
        for start in range(0, _ROWS, _BLOCK):
            vectors = rng.standard_normal((_BLOCK, _SIZE)).astype(np.float32)
            collection.upsert(batch_of(list(range(start, start + _BLOCK)), vectors)).result()
        while collection.state().pending:  # sealed in the background
            time.sleep(0.1)
