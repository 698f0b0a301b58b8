"""The JavaScript client of many versions, and LangChain's on it, live their ordinary lives here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.served import Server
from tests.clients.installing import carry_out, javascript, node

AS_EVER = {"search", "searchBatch", "searchPointGroups", "recommend", "recommendBatch"}
AS_EVER |= {"recommendPointGroups", "discoverPoints", "discoverBatchPoints"}
QUERIES = {"query", "queryBatch", "queryGroups", "facet", "searchMatrixPairs"}
ALWAYS = {"createCollection", "upsert", "retrieve", "scroll", "count", "createPayloadIndex"}
ALWAYS |= {"setPayload", "updateVectors", "batchUpdate", "delete", "deleteCollection"}
CLIENTS = {
    "client-1.9": ALWAYS | AS_EVER,
    "client-1.15": ALWAYS | AS_EVER | QUERIES,
    "client-1.18": ALWAYS | AS_EVER | QUERIES,
    "client-newest": ALWAYS | QUERIES,
}


def live(server: Server, script: str, *arguments: str) -> Any:
    folder = javascript()
    told = json.loads(carry_out([str(node()), str(folder / script), *arguments, server.url]))
    assert told["warned"] == []
    return set(told["called"])


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_lives_its_ordinary_life(client: str, server: Server) -> None:
    called = live(server, "life.mjs", client)
    assert called >= CLIENTS[client]
    assert (called >= AS_EVER) == (client != "client-newest")


def test_langchain_lives_its_ordinary_life(server: Server) -> None:
    assert "similaritySearch" in live(server, "langchain.mjs")
