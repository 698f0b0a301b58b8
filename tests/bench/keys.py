"""What a key costs: two servers of the same rows, one that asks for a key and one that does not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec

from tests.bench import load, servers
from tests.bench.corpora import Corpus, K
from tests.bench.engine import NAME
from tests.bench.load import Load
from tests.bench.report import Result, rate
from tests.bench.rest import points

_KEY = "a-key-that-is-only-of-this-bench"
_ROWS = 10_000  # fewer than in the other rows: a shorter search shows what surrounds it better
_TURNS = 30  # of each server: the difference is far below the noise of one, so the best counts
_SECONDS = 0.5
_CONNECTIONS = 8
_PATH = f"/collections/{NAME}"


def measure(corpus: Corpus) -> Iterator[Result]:
    """Yield the one row: queries per second with a key against without."""
    with ExitStack() as stack:
        contenders = []
        for key in ("", _KEY):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(servers.running(servers.palimpsest(folder), key=key))
            fill(server, corpus)
            contenders.append((server, queries(corpus, key)))
        rates: list[list[float]] = [[], []]
        for turn in range(_TURNS):
            for which in (0, 1) if turn % 2 else (1, 0):  # neither is always the first
                server, requests = contenders[which]
                run = load.run(server.port, requests, Load(_CONNECTIONS, seconds=_SECONDS))
                rates[which].append(run.rate)
    without, with_key = map(max, rates)
    yield Result(
        f"{corpus.name}: REST queries/s with a key, against none, best of {_TURNS} turns",
        ">= 0.98x",
        "",
        f"{with_key / without:.3f}x ({rate(with_key)} against {rate(without)})",
    )


def fill(server: servers.Server, corpus: Corpus) -> None:
    """Write the first rows of a corpus."""
    vectors = {"size": corpus.base.shape[1], "distance": corpus.distance.value.capitalize()}
    server.call("PUT", _PATH, {"vectors": vectors})
    part = Corpus(corpus.name, corpus.distance, corpus.base[:_ROWS], corpus.queries, corpus.truth)
    for body in points(part):
        server.call("PUT", f"{_PATH}/points?wait=true", msgspec.json.decode(body))


def queries(corpus: Corpus, key: str) -> list[bytes]:
    """Prepare one request for each query."""
    bodies = ({"query": query.round(6).tolist(), "limit": K} for query in corpus.queries)
    path = f"{_PATH}/points/query"
    return [load.request("POST", path, msgspec.json.encode(body), key) for body in bodies]
