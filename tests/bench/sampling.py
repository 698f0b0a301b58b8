"""What it costs to sample recall, and how often its interval holds what it is to hold.

Two servers of the same rows, one that samples at its default budget and one that does not, are
asked in turns. Draws of the queries there are estimate what all of them find, by default and by a
low ef.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Collection, CollectionConfig, Database, SearchRequest, VectorConfig
from palimpsest.index.recall.answered import Answerable, share_found
from palimpsest.index.recall.interval import interval_of
from palimpsest.index.segments.samples import KEPT
from tests.bench import load, servers
from tests.bench.corpora import Corpus, K
from tests.bench.engine import NAME
from tests.bench.load import Load
from tests.bench.report import Result, rate
from tests.bench.rest import points
from tests.points import batch_of

_TURNS = 20  # of each server
_SECONDS = 1.0
_CONNECTIONS = 8
_DRAWS, _DRAWN = 100, KEPT
_LOW_EF = 16
_BATCH = 2_000
_PATH = f"/collections/{NAME}"


def measure(corpus: Corpus) -> Iterator[Result]:
    """Yield the rows of one corpus."""
    yield _cost(corpus)
    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder)) as database:
        collection = _filled(database, corpus)
        for ef in (None, _LOW_EF):
            yield _held(corpus, collection, ef)


def _cost(corpus: Corpus) -> Result:
    """Ask both servers in turns; noise hits both, so medians of the turns are compared."""
    rates: list[list[float]] = [[], []]
    late: list[list[float]] = [[], []]
    with ExitStack() as stack:
        running = []
        for own in (["--recall-share", "0"], []):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            command = [*servers.palimpsest(folder), *own]
            running.append(stack.enter_context(servers.running(command)))
            _fill(running[-1], corpus)
        requests = _requests(corpus)
        for turn in range(_TURNS):
            for which in (0, 1) if turn % 2 else (1, 0):  # neither is always the first
                run = load.run(running[which].port, requests, Load(_CONNECTIONS, seconds=_SECONDS))
                rates[which].append(run.rate)
                late[which].append(float(np.percentile(run.seconds, 99)))
        samples = _samples(running[1])
    off, on = map(np.median, rates)
    late_off, late_on = map(np.median, late)
    return Result(
        f"{corpus.name}: REST queries/s and p99 while recall is sampled ({samples:,} samples), "
        f"against not, medians of {_TURNS} turns",
        ">= 0.95x, <= 1.2x",
        "",
        f"{on / off:.3f}x ({rate(float(on))} against {rate(float(off))}), "
        f"{late_on / late_off:.2f}x ({late_on * 1e3:.2f} ms against {late_off * 1e3:.2f} ms)",
    )


def _fill(server: servers.Server, corpus: Corpus) -> None:
    vectors = {"size": corpus.base.shape[1], "distance": corpus.distance.value.capitalize()}
    server.call("PUT", _PATH, {"vectors": vectors})
    for body in points(corpus):
        server.call("PUT", f"{_PATH}/points?wait=true", msgspec.json.decode(body))
    while server.call("GET", _PATH)["result"]["status"] != "green":
        time.sleep(0.2)


def _requests(corpus: Corpus) -> list[bytes]:
    bodies = ({"query": query.round(6).tolist(), "limit": K} for query in corpus.queries)
    path = f"{_PATH}/points/query"
    return [load.request("POST", path, msgspec.json.encode(body)) for body in bodies]


def _samples(server: servers.Server) -> int:
    lines = server.call("GET", "/metrics").splitlines()
    values = [line for line in lines if line.startswith("palimpsest_recall_samples_total")]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in values)


def _filled(database: Database, corpus: Corpus) -> Collection:
    space = VectorConfig(corpus.base.shape[1], corpus.distance)
    collection = database.create(NAME, CollectionConfig({"": space}))
    for start in range(0, len(corpus.base), _BATCH):
        rows = corpus.base[start : start + _BATCH]
        collection.upsert(batch_of(range(start, start + len(rows)), rows)).result()
    collection.upkeep.seal()
    return collection


def _held(corpus: Corpus, collection: Collection, ef: int | None) -> Result:
    """Estimate by draws what all queries find, of which the truth is the corpus' own."""
    estimated, true = _recalls(corpus, collection, ef)
    draw = np.random.default_rng(15)
    inside, widths = 0, []
    for _ in range(_DRAWS):
        # Searches are sampled as they are asked, some more than once.
        low, high = interval_of(estimated[draw.integers(len(estimated), size=_DRAWN)])
        inside += low <= true.mean() <= high
        widths.append(high - low)
    return Result(
        f"{corpus.name}: true recall of {len(true):,} queries inside the 95 % interval of "
        f"{_DRAWN:,} samples of them, " + ("by default" if ef is None else f"ef {ef}"),
        ">= 90 of 100, width <= .03",
        "",
        f"{inside} of {_DRAWS}, widths to {max(widths):.4f} (mean {estimated.mean():.4f})",
        f"{true.mean():.4f}",
    )


def _recalls(
    corpus: Corpus, collection: Collection, ef: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return of each query what samples tell, and what exact float32 search tells."""
    estimated, true = [], []
    for place, query in enumerate(corpus.queries):
        request = SearchRequest(np.ascontiguousarray(query), k=K, ef=ef)
        asked = Answerable(collection.view, request)
        found = asked.planned().merged
        share = share_found(found, asked.exact(K).merged)
        assert share is not None
        estimated.append(share)
        one = Corpus(
            corpus.name,
            corpus.distance,
            corpus.base,
            corpus.queries[place : place + 1],
            corpus.truth[place : place + 1],
        )
        true.append(one.recall(np.array([list(found.ids)], dtype=np.int64)))
    return np.array(estimated), np.array(true)
