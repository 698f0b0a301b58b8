"""A server for this folder, and a client of it beside the client's own local mode."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from qdrant_client import QdrantClient

from tests.api.served import Server, serving

# How many times the examples of a run in CI. When it is set, they are new ones every time, and a
# failing one is made smaller, which takes minutes.
LENGTH = os.environ.get("PALIMPSEST_DIFFERENTIAL")
GENERATED_ONLY = (Phase.explicit, Phase.generate)


def examples(n: int) -> settings:
    """Settings of a test that runs `n` examples in CI, the same ones every time."""
    return settings(
        max_examples=n * int(LENGTH or 1),
        derandomize=LENGTH is None,
        phases=GENERATED_ONLY if LENGTH is None else tuple(Phase),
        print_blob=LENGTH is not None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("differential")) as running:
        yield running


@pytest.fixture(scope="session")
def ours(server: Server) -> Iterator[QdrantClient]:
    """A client of the server that, other than by default on this host, keeps its connections."""
    client = QdrantClient(url=server.url, timeout=60, limits=httpx.Limits(max_connections=4))
    yield client
    client.close()


@pytest.fixture(scope="session")
def theirs() -> Iterator[QdrantClient]:
    client = QdrantClient(":memory:")
    yield client
    client.close()
