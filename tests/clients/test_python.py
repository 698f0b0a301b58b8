"""qdrant-client of many versions lives its ordinary life here, without a warning."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from tests.api.served import Server
from tests.clients.installing import HERE, LENGTH, carry_out, python_with

LIFE = HERE / "python" / "life.py"
SHORT = ("1.9.2", "1.15.1")
MORE = ("1.12.2", "1.16.2", "1.17.1", "1.18.0", "1.19.1")
VERSIONS = SHORT if LENGTH == "short" else (*SHORT, *MORE)

AS_EVER = {"search", "search_batch", "search_groups", "recommend", "recommend_batch"}
AS_EVER |= {"recommend_groups", "discover", "discover_batch"}  # left the client in 1.16
QUERIES = {"query_points", "query_batch_points"}  # came in 1.10
ALWAYS = {"create_collection", "upsert", "retrieve", "scroll", "count", "create_payload_index"}
ALWAYS |= {"set_payload", "update_vectors", "batch_update_points", "delete", "delete_collection"}


def live(interpreter: Path | str, server: Server) -> tuple[int, set[str]]:
    """Let a client live; return its minor version and what it called."""
    told = json.loads(carry_out([str(interpreter), "-I", str(LIFE), server.url]))
    assert told["warned"] == [], told["version"]
    return int(told["version"].split(".")[1]), set(told["called"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_lives_its_ordinary_life(version: str, server: Server) -> None:
    minor, called = live(python_with(f"qdrant-client=={version}"), server)
    assert minor == int(version.split(".")[1])
    assert called >= ALWAYS
    assert (called >= AS_EVER) == (minor < 16)
    assert (called >= QUERIES) == (minor >= 10)


def test_the_newest_client_lives_its_ordinary_life(server: Server) -> None:
    minor, called = live(sys.executable, server)
    assert minor >= 20
    assert called >= ALWAYS | QUERIES
    assert not hasattr(QdrantClient, "search")
