"""Collections of another server: all of them is taken over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from palimpsest.app.transfer.client import Address, Client
from palimpsest.app.transfer.errors import TransferError
from palimpsest.app.transfer.from_server import (
    LEAST,
    MOST,
    ServerReader,
    declared_by,
    indexes_of,
    page_size,
)
from palimpsest.app.transfer.importing import Import, run_import
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.shapes import Dense, Sets, Sparse
from tests.api.gateway import Asked, Whim, gateway
from tests.api.moving import DECLARED, contents, everything, fill
from tests.api.served import Server
from tests.unit.transfer.scripted import Answer, scripted

pytestmark = pytest.mark.usefixtures("states")


@pytest.fixture
def copy(http: httpx.Client) -> Iterator[str]:
    yield "copy"
    http.delete("/collections/copy")


def test_everything_is_taken_over(
    http: httpx.Client, make: Callable[..., str], mover: Client, copy: str, server: Server
) -> None:
    name = make(
        **DECLARED,
        hnsw_config={"m": 24},
        quantization_config={"scalar": {"type": "int8"}},
        strict_mode_config={"enabled": True, "upsert_max_batchsize": 7},
    )
    http.patch(f"/collections/{name}", json={"strict_mode_config": {"enabled": False}})
    fill(http, name, everything(200))
    http.patch(f"/collections/{name}", json={"strict_mode_config": {"enabled": True}})
    for field, schema in (
        ("ключ", "integer"),
        ('"a.b".c', {"type": "text", "tokenizer": "word", "lowercase": True}),
        ("when", "datetime"),
    ):
        body = {"field_name": field, "field_schema": schema}
        reply = http.put(f"/collections/{name}/index?wait=true", json=body)
        assert reply.status_code == 200, reply.text
    source = f"{server.url}/collections/{name}"
    assert run_import(Import((source,), copy, create=True), mover).points == 200
    assert contents(http, copy) == contents(http, name)
    one, other = (http.get(f"/collections/{n}").json()["result"] for n in (name, copy))
    assert one["config"] == other["config"]
    assert one["payload_schema"] == other["payload_schema"]
    assert run_import(Import((source,), copy, create=True), mover).points == 200


def test_points_that_come_meanwhile_are_told_of(
    http: httpx.Client, server: Server, collection: str, copy: str, mover: Client
) -> None:
    fill(http, collection, ['{"id":5,"vector":[1,2,3]}'])

    def whim(asked: Asked) -> Whim:
        if asked.path.endswith("/scroll"):
            fill(http, collection, ['{"id":6,"vector":[1,2,3]}'])
        return "pass"

    with gateway(server.url, whim) as before:
        source = f"{before.url}/collections/{collection}"
        done = run_import(Import((source,), copy, create=True), mover)
    assert "held 1 points at the beginning and 2 at the end" in done.notes[0]


def test_a_server_that_turns_in_a_circle_is_left() -> None:
    told = {"config": {"params": {"vectors": {"size": 1, "distance": "Dot"}}}}
    page = {"points": [{"id": 3, "vector": [1]}], "next_page_offset": 3}
    with scripted([Answer(body=told), Answer(body={"count": 1}), Answer(body=page)]) as server:
        with Client(Address(server.url)) as mover:
            reader = ServerReader(mover, "c")
            with pytest.raises(TransferError, match="stands still at point 3"):
                [*reader.read(Start(), 0)]


def test_pages_are_of_about_one_size() -> None:
    assert page_size({"": Dense(2)}) == MOST
    assert LEAST < page_size({"": Dense(1_536)}) < MOST
    assert page_size({"": Sets(1_000_000)}) == LEAST
    assert page_size({"s": Sparse()}) == MOST == page_size({})


def test_only_what_is_about_the_data_is_carried() -> None:
    params = {"vectors": {"size": 1, "distance": "Dot", "on_disk": None}, "shard_number": 6}
    config = {
        "params": params,
        "hnsw_config": {"m": 16, "payload_m": None},
        "optimizer_config": {"indexing_threshold": 10},
        "wal_config": {"wal_capacity_mb": 32},
        "quantization_config": None,
        "strict_mode_config": {"enabled": True},
    }
    assert declared_by({"config": config}) == {
        "vectors": {"size": 1, "distance": "Dot"},
        "hnsw_config": {"m": 16},
    }
    indexes = {
        "a": {"data_type": "keyword", "points": 3},
        "b": {"data_type": "text", "params": {"type": "text", "lowercase": None}, "points": 1},
    }
    assert indexes_of({"config": config, "payload_schema": indexes}) == [
        {"field_name": "a", "field_schema": "keyword"},
        {"field_name": "b", "field_schema": {"type": "text"}},
    ]
    assert json.dumps(indexes_of({"config": config})) == "[]"
