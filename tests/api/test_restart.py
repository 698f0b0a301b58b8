"""Real vectors, uploaded by qdrant-client, answer the same after the server was killed.

Each way the rows may be held is tried: in a segment with a graph, not sealed, and being sealed at
the moment of the kill.
"""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from palimpsest.index import Distance
from tests.api.served import Server
from tests.conftest import Corpus
from tests.oracle import distances, recall

POINTS, QUERIES, K = 4_000, 50, 10
MINUTE = 60  # seconds, to wait for a seal
NAME = "real"
AT_ONCE = {"palimpsest": {"seal_rows": 1_024, "quiet_rows": 64, "quiet_seconds": 0}}
WHEN_TOLD = {"palimpsest": {"quiet_rows": 1_000_000}}


@contextmanager
def serving(data: Path) -> Iterator[QdrantClient]:
    """Run a server for as long as the block; it ends by SIGKILL."""
    server = Server(data)
    try:
        server.wait_until_ready()
        client = QdrantClient(url=server.url, timeout=MINUTE)
        yield client
        client.close()
    finally:
        server.stop(signal.SIGKILL)


def upload(client: QdrantClient, corpus: Corpus, metadata: dict[str, Any]) -> None:
    size = corpus.base.shape[1]
    space = models.VectorParams(size=size, distance=models.Distance.COSINE)
    assert client.create_collection(NAME, vectors_config=space, metadata=metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it was told to come again
        client.upload_collection(
            NAME,
            vectors=corpus.base[:POINTS],
            payload=({"n": n, "text": f"passage {n}"} for n in range(POINTS)),
            ids=range(POINTS),
            batch_size=256,
            wait=True,
        )


def answers(client: QdrantClient, corpus: Corpus, **parameters: Any) -> list[Any]:
    """Return the hits of every query: ids, scores, versions and payloads."""
    params = models.SearchParams(**parameters)
    requests = [
        models.QueryRequest(query=query.tolist(), limit=K, with_payload=True, params=params)
        for query in corpus.queries[:QUERIES]
    ]
    return [reply.points for reply in client.query_batch_points(NAME, requests)]


def recall_of(found: list[Any], corpus: Corpus) -> float:
    base = corpus.base[:POINTS]
    truth = distances(corpus.queries[:QUERIES], base, Distance.COSINE)
    return recall([[hit.id for hit in hits] for hits in found], truth, K)


def wait_until_green(client: QdrantClient) -> None:
    deadline = time.monotonic() + MINUTE
    while time.monotonic() < deadline:
        if client.get_collection(NAME).status == models.CollectionStatus.GREEN:
            return
        time.sleep(0.02)
    raise AssertionError("the collection does not turn green")


@pytest.mark.parametrize("metadata", [AT_ONCE, WHEN_TOLD], ids=["graph", "no graph"])
def test_the_same_answers_after_a_kill(
    metadata: dict[str, Any], corpus: Corpus, tmp_path: Path
) -> None:
    sealed = metadata is AT_ONCE
    with serving(tmp_path) as client:
        upload(client, corpus, metadata)
        wait_until_green(client)
        described = client.get_collection(NAME)
        assert described.indexed_vectors_count == (POINTS if sealed else 0)
        by_default = answers(client, corpus)
        exactly = answers(client, corpus, exact=True)
        records = client.retrieve(NAME, range(0, POINTS, 100), with_vectors=True)
    assert recall_of(by_default, corpus) >= 0.97
    assert recall_of(exactly, corpus) == 1
    with serving(tmp_path) as client:
        assert client.get_collection(NAME) == described
        assert client.count(NAME).count == POINTS
        assert answers(client, corpus) == by_default
        assert answers(client, corpus, exact=True) == exactly
        assert client.retrieve(NAME, range(0, POINTS, 100), with_vectors=True) == records


def test_the_same_answers_after_a_kill_while_sealing(corpus: Corpus, tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        upload(client, corpus, WHEN_TOLD)
        exactly = answers(client, corpus, exact=True)
        change = models.UpdateCollection(metadata=AT_ONCE)
        client.http.collections_api.update_collection(NAME, update_collection=change)
        described = client.get_collection(NAME)
        assert described.status == models.CollectionStatus.YELLOW
    with serving(tmp_path) as client:
        assert answers(client, corpus, exact=True) == exactly
        wait_until_green(client)
        assert client.get_collection(NAME).indexed_vectors_count == POINTS
        assert answers(client, corpus, exact=True) == exactly
        assert recall_of(answers(client, corpus), corpus) >= 0.97
