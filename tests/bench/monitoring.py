"""What measuring costs: queries with metrics against without, and a scrape of many collections."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tests.bench import load, servers
from tests.bench.corpora import Corpus
from tests.bench.keys import fill, queries
from tests.bench.load import Load
from tests.bench.report import Result, rate

COLLECTIONS = 100
_TURNS = 30  # of each server: the difference is far below the noise of one, so the best counts
_SECONDS = 0.5
_CONNECTIONS = 8
_SCRAPES = 30
_SIZE, _ROWS = 8, 50  # of each of the many collections


def measure(corpus: Corpus) -> Iterator[Result]:
    """Yield both rows."""
    yield _queries(corpus)
    yield _scrapes()


def _queries(corpus: Corpus) -> Result:
    with ExitStack() as stack:
        running = []
        for flag in ("--no-metrics", "--metrics"):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            command = [*servers.palimpsest(folder), flag]
            running.append(stack.enter_context(servers.running(command)))
            fill(running[-1], corpus)
        requests = queries(corpus, "")
        rates: list[list[float]] = [[], []]
        for turn in range(_TURNS):
            for which in (0, 1) if turn % 2 else (1, 0):  # neither is always the first
                run = load.run(running[which].port, requests, Load(_CONNECTIONS, seconds=_SECONDS))
                rates[which].append(run.rate)
    without, measured = map(max, rates)
    return Result(
        f"{corpus.name}: REST queries/s with metrics, against none, best of {_TURNS} turns",
        ">= 0.97x",
        "",
        f"{measured / without:.3f}x ({rate(measured)} against {rate(without)})",
    )


def _scrapes() -> Result:
    rows = np.random.default_rng(3).standard_normal((_ROWS, _SIZE)).round(3)
    with tempfile.TemporaryDirectory() as folder:
        with servers.running(servers.palimpsest(Path(folder))) as server:
            for number in range(COLLECTIONS):
                path = f"/collections/c{number}"
                server.call("PUT", path, {"vectors": {"size": _SIZE, "distance": "Cosine"}})
                points = [{"id": i, "vector": row.tolist()} for i, row in enumerate(rows)]
                server.call("PUT", f"{path}/points?wait=true", {"points": points})
                for filter in (None, {"must": [{"has_id": [1, 2]}]}):
                    body = {"query": rows[0].tolist(), "filter": filter}
                    server.call("POST", f"{path}/points/query", body)
            seconds = []
            for _ in range(_SCRAPES):
                started = time.perf_counter()
                text = server.call("GET", "/metrics")
                seconds.append(time.perf_counter() - started)
    return Result(
        f"a scrape of {COLLECTIONS} collections that are written and searched, best of {_SCRAPES}",
        "< 50 ms",
        "",
        f"{min(seconds) * 1e3:.0f} ms ({text.count(chr(10))} lines)",
    )
