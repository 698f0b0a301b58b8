"""The server over HTTP: ingest, queries per second, latency during a seal, restart.

Requests are prepared before the clock starts; the load generator runs in this process, so on two
cores the server has the other one.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Database, SearchRequest
from tests.bench import load, reference, servers
from tests.bench.corpora import Corpus, K
from tests.bench.curves import Curve, Setting
from tests.bench.engine import NAME
from tests.bench.load import Load
from tests.bench.report import Result, rate, ratio

TARGET = 0.95
_EFS = (16, 24, 32, 40, 48, 56, 72, 96, 128)
_BATCH = 500
_CONNECTIONS = 8
_WRITERS = 4
_PATH = f"/collections/{NAME}"


@dataclass(frozen=True, slots=True)
class Target:
    """A server under load: where its queries go, and the requests that ask all of them."""

    server: servers.Server
    path: str
    ef: int = 0

    def requests(self, corpus: Corpus, ef: int) -> list[bytes]:
        """Prepare one request per query."""
        bodies = (
            {"query": query.tolist(), "limit": K, "params": {"hnsw_ef": ef}}
            for query in _rounded(corpus.queries)
        )
        return [load.request("POST", self.path, msgspec.json.encode(body)) for body in bodies]


def measure(corpus: Corpus, rounds: int, seconds: float) -> Iterator[Result]:
    """Yield the rows of one corpus."""
    with tempfile.TemporaryDirectory() as folder:
        ours = servers.palimpsest(Path(folder))
        with servers.running(ours) as server:
            yield _ingest(server, corpus)
            yield from _queries(server, corpus, rounds, seconds)
        opened = _opened(Path(folder), corpus)
        with servers.running(ours) as server:
            yield _restarted(server, corpus, opened)
            yield _latency(server, corpus)


def points(corpus: Corpus, first: int = 0) -> list[bytes]:
    """Prepare the upserts of the whole base, with ids from `first` on."""
    bodies = []
    for start in range(0, len(corpus.base), _BATCH):
        rows = _rounded(corpus.base[start : start + _BATCH])
        batch = [{"id": first + start + i, "vector": row.tolist()} for i, row in enumerate(rows)]
        bodies.append(msgspec.json.encode({"points": batch}))
    return bodies


def _ingest(server: servers.Server, corpus: Corpus) -> Result:
    vectors = {"size": corpus.base.shape[1], "distance": corpus.distance.value.capitalize()}
    server.call("PUT", _PATH, {"vectors": vectors})
    bodies = points(corpus)
    requests = [load.request("PUT", f"{_PATH}/points?wait=true", body) for body in bodies]
    _, before = reference.build(corpus)
    start = time.perf_counter()
    load.run(server.port, requests, Load(_WRITERS, count=len(requests)))
    _wait_green(server, len(corpus.base))
    ours = time.perf_counter() - start
    _, after = reference.build(corpus)
    theirs = min(before, after)
    return Result(
        f"{corpus.name}: REST ingest of {len(corpus.base):,} rows until green, "
        f"against hnswlib building on {reference.THREADS} threads",
        "<= 1.2x",
        "0.6x",
        f"{ratio(ours, theirs)} ({ours:.1f} s against {theirs:.1f} s)",
    )


def _queries(
    server: servers.Server, corpus: Corpus, rounds: int, seconds: float
) -> Iterator[Result]:
    with (
        servers.running(servers.asgi("plain_server")) as plain,
        servers.running(servers.asgi("bare_server"), ready="/") as bare,
    ):
        _fill_plain(plain, corpus)
        targets = {
            "ours": Target(server, f"{_PATH}/points/query"),
            "plain": Target(plain, "/query"),
        }
        settings = {name: _reaching(target, corpus) for name, target in targets.items()}
        requests = {n: t.requests(corpus, settings[n].ef) for n, t in targets.items()}
        runs: dict[str, Callable[[], float]] = {
            name: _load_run(target.server.port, requests[name], seconds)
            for name, target in targets.items()
        }
        runs["bare"] = _load_run(bare.port, requests["ours"], seconds)
        best = dict.fromkeys(runs, 0.0)
        for _ in range(rounds):
            for name, run in runs.items():
                best[name] = max(best[name], run())
    recall = settings["ours"].recall
    for other, what, must, aim, at in (
        ("plain", "FastAPI + msgspec + hnswlib", ">= 2.5x", "3x", settings["plain"].recall),
        ("bare", "a bare route with a fixed reply", ">= 0.5x", "0.7x", None),
    ):
        yield Result(
            f"{corpus.name}: REST queries/s, {_CONNECTIONS} connections, against {what}",
            must,
            aim,
            f"{ratio(best['ours'], best[other])} "
            f"({rate(best['ours'])} against {rate(best[other])})",
            f"{recall:.3f}" if at is None else f"{recall:.3f} against {at:.3f}",
        )


def _load_run(port: int, requests: list[bytes], seconds: float) -> Callable[[], float]:
    return lambda: load.run(port, requests, Load(_CONNECTIONS, seconds=seconds)).rate


def _fill_plain(plain: servers.Server, corpus: Corpus) -> None:
    n, size = corpus.base.shape
    plain.call("PUT", "/build", {"size": size, "n": n, "space": corpus.distance.value})
    load.run(
        plain.port,
        [load.request("PUT", "/points", body) for body in points(corpus)],
        Load(1, count=-(-n // _BATCH)),
    )


def _reaching(target: Target, corpus: Corpus) -> Setting:
    """Find the ef whose answers over HTTP reach TARGET, and the recall they have."""
    settings: list[Setting] = []
    for ef in _EFS:
        settings.append(Setting(ef, corpus.recall(_answered(target, corpus, ef)), 1.0))
        if settings[-1].recall >= TARGET:
            break
    between = Curve(settings).ef_at(TARGET)
    ef = settings[-1].ef if between is None else round(between + 0.49)
    return Setting(ef, corpus.recall(_answered(target, corpus, ef)), 1.0)


def _answered(target: Target, corpus: Corpus, ef: int) -> NDArray[np.int64]:
    """Rows found for every query, in order, asked over one connection."""
    requests = target.requests(corpus, ef)
    run = load.run(target.server.port, requests, Load(1, count=len(requests), keep_bodies=True))
    found = np.full((len(requests), K), -1, dtype=np.int64)
    for number, body in zip(run.numbers, run.bodies, strict=True):
        ids = [hit["id"] for hit in msgspec.json.decode(body)["result"]["points"]]
        found[number, : len(ids)] = ids
    return found


def _opened(folder: Path, corpus: Corpus) -> float:
    """Seconds from opening the directory to the first answer."""
    start = time.perf_counter()
    database = Database.open(folder)
    try:
        database.get(NAME).search(SearchRequest(query=corpus.queries[0], k=K))
        return time.perf_counter() - start
    finally:
        database.close()


def _restarted(server: servers.Server, corpus: Corpus, opened: float) -> Result:
    state = server.call("GET", _PATH)["result"]
    if state["points_count"] != len(corpus.base) or state["status"] != "green":
        raise RuntimeError(f"after a restart: {state['status']}, {state['points_count']} points")
    return Result(
        f"{corpus.name}: open a collection of {len(corpus.base):,} points and search it",
        "< 1 s",
        "",
        f"{opened:.2f} s, nothing rebuilt (server: {server.started_in:.2f} s from its start)",
    )


def _latency(server: servers.Server, corpus: Corpus) -> Result:
    """Compare the p99 of a steady trickle of queries, idle and while copies are being sealed."""
    target = Target(server, f"{_PATH}/points/query")
    requests = target.requests(corpus, 64)
    trickle = Load(connections=1, seconds=10.0, pause=0.005)
    load.run(server.port, requests, Load(1, count=500))
    idle = load.run(server.port, requests, trickle)
    upserts = [
        load.request("PUT", f"{_PATH}/points?wait=true", body)
        for body in points(corpus, first=len(corpus.base))
    ]
    load.run(server.port, upserts, Load(1, count=len(upserts)))
    busy = load.run(
        server.port, requests, Load(1, seconds=120.0, pause=0.005), until=_green_again(server)
    )
    quiet, loaded = (float(np.percentile(run.seconds, 99)) for run in (idle, busy))
    return Result(
        f"{corpus.name}: p99 of a search while {len(corpus.base):,} rows are sealed, against idle",
        "<= 3x",
        "",
        f"{ratio(loaded, quiet)} ({loaded * 1e3:.2f} ms of {len(busy.seconds):,} against "
        f"{quiet * 1e3:.2f} ms)",
    )


def _green_again(server: servers.Server) -> Callable[[], bool]:
    """Return a check of the status that asks the server twice a second at most."""
    next_ask, seen_busy = time.perf_counter() + 1.0, False

    def done() -> bool:
        nonlocal next_ask, seen_busy
        if time.perf_counter() < next_ask:
            return False
        next_ask = time.perf_counter() + 0.5
        green = server.call("GET", _PATH)["result"]["status"] == "green"
        seen_busy = seen_busy or not green
        return green and seen_busy

    return done


def _wait_green(server: servers.Server, indexed: int) -> None:
    deadline = time.perf_counter() + load.LIMIT_SECONDS
    while time.perf_counter() < deadline:
        state: dict[str, Any] = server.call("GET", _PATH)["result"]
        if state["status"] == "green" and state["indexed_vectors_count"] >= indexed:
            return
        time.sleep(0.05)
    raise TimeoutError(f"not green within {load.LIMIT_SECONDS:.0f} s: {state['status']}")


def _rounded(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cut to nine decimals: longer texts only add parsing, to every server alike."""
    return np.asarray(np.round(vectors.astype(np.float64), 9), dtype=np.float64)
