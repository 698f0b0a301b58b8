"""Data directories that trials damage: all that a collection can hold, as a stop or a kill left it.

``wide`` has vectors of many kinds and of two versions, adapters, sparse vectors, payload indexes
and ids of both kinds; ``plain`` has one vector; ``well`` is never damaged. Each has several
segments and rows that are not sealed yet. Nothing is sealed or compacted by itself, so that answers
depend on the points alone.
"""

from __future__ import annotations

import json
import random
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.crash.reading import Client
from tests.crash.starter import Server, Starter

Id: TypeAlias = int | str
Point: TypeAlias = dict[str, Any]

WIDE, PLAIN, WELL = "wide", "plain", "well"
HURT = (WIDE, PLAIN)
ALIASES = {"called": WIDE, "simple": PLAIN, "healthy": WELL}
GRAPHED, MORE, GROWING = 1_100, 60, 25  # points written before each seal, and after the last
SIZES = {"a": 8, "coded": 16, "whole": 6, "bytes": 5}
NEW_SIZE = 7  # of version v2 of "a"
LATENT = 6  # dimensions that both versions are maps of
COLOURS = ("red", "green", "blue", "тёмный")
LONGEST_SEAL = 60.0  # seconds

VECTORS = {
    "a": {"size": SIZES["a"], "distance": "Cosine"},
    "coded": {"size": SIZES["coded"], "distance": "Dot", "datatype": "turbo4"},
    "whole": {"size": SIZES["whole"], "distance": "Manhattan", "datatype": "float16"},
    "bytes": {"size": SIZES["bytes"], "distance": "Cosine", "datatype": "uint8"},
}
INDEXES: dict[str, Any] = {
    "colour": "keyword",
    "n": "integer",
    "x": "float",
    "on": "bool",
    "place": "geo",
    "at": "datetime",
    "key": "uuid",
    "text": {"type": "text", "tokenizer": "word", "lowercase": True},
}
RESTLESS = {"quiet_rows": 1, "quiet_seconds": 0, "tier_factor": 64, "dead_ratio": 1.0}
AT_REST = {**RESTLESS, "quiet_rows": 1 << 20, "quiet_seconds": 1e6, "seal_rows": 1 << 20}


@dataclass(frozen=True)
class Stage:
    """Directories of one history, none of which a server has opened since.

    Args:
        rest: as a server that stopped in peace left it.
        killed: as a kill left it, with writes that are in the log alone.
        earlier: the same one some writes and a seal before.
        ids: of the points that are there, by collection, and of some that were deleted.
    """

    rest: Path
    killed: Path
    earlier: Path
    ids: dict[str, list[Id]]


def id_of(number: int) -> Id:
    """Return the id of the n-th point: every third is a UUID."""
    return str(uuid.UUID(int=number * 7_919 << 64 | number)) if number % 3 == 2 else number


def floats(draw: random.Random, size: int) -> list[float]:
    return [round(draw.gauss(0, 1), 4) for _ in range(size)]


def mapped(latent: Sequence[float], size: int) -> list[float]:
    """Return a linear map of a vector, always the same one."""
    plane = random.Random(size)
    return [round(sum(plane.gauss(0, 1) * one for one in latent), 4) for _ in range(size)]


def wide_point(number: int, again: int = 0) -> Point:
    draw = random.Random(f"{number} {again}")
    latent = floats(draw, LATENT)
    vector: dict[str, Any] = {
        "a": mapped(latent, SIZES["a"]),
        "coded": floats(draw, SIZES["coded"]),
        "bytes": [draw.randrange(1, 256) for _ in range(SIZES["bytes"])],
        "sparse": {
            "indices": sorted(draw.sample(range(60), 5)),
            "values": [round(draw.uniform(0.1, 2), 4) for _ in range(5)],
        },
    }
    if number % 4:
        vector["whole"] = floats(draw, SIZES["whole"])
    if number % 2:
        vector["a@v2"] = mapped(latent, NEW_SIZE)
    if number % 10 == 9:
        del vector["a"]  # is found by queries of v1 over an adapter
    return {"id": id_of(number), "vector": vector, "payload": payload_of(number, draw)}


def payload_of(number: int, draw: random.Random) -> Point:
    return {
        "colour": COLOURS[number % 4],
        "n": number,
        "x": round(draw.uniform(-5, 5), 3),
        "on": number % 5 == 0,
        "place": {"lon": draw.uniform(-10, 10), "lat": draw.uniform(-10, 10)},
        "at": f"2024-{1 + number % 12:02d}-{1 + number % 28:02d}T10:00:00Z",
        "key": str(uuid.UUID(int=number)),
        "text": " ".join(draw.choice(("alpha", "beta", "gamma", "delta")) for _ in range(4)),
        "free": {"list": [number % 7, {"deep": "é" * (number % 5)}]},
    }


def plain_point(number: int, again: int = 0) -> Point:
    draw = random.Random(f"plain {number} {again}")
    return {
        "id": number,
        "vector": floats(draw, SIZES["a"]),
        "payload": {"n": number, "colour": COLOURS[number % 4], "again": again},
    }


def found(client: Client, name: str) -> None:
    """Create one collection, empty."""
    wide = name == WIDE
    body: dict[str, Any] = {
        "vectors": VECTORS if wide else VECTORS["a"],
        "metadata": {"palimpsest": {**RESTLESS, "encoding": "8" if wide else "float32"}},
    }
    if wide:
        body["sparse_vectors"] = {"sparse": {}}
    client.ask("PUT", "", body)
    indexes = INDEXES if wide else {"colour": "keyword", "n": "integer"}
    for field, schema in indexes.items():
        client.ask("PUT", "/index?wait=true", {"field_name": field, "field_schema": schema})
    if wide:
        client.ask("PUT", "/versions/v2", {"vector": "a", "size": NEW_SIZE, "model": "new"})


def upsert(client: Client, points: list[Point]) -> None:
    for start in range(0, len(points), 400):
        client.ask("PUT", "/points?wait=true", {"points": points[start : start + 400]})


def seal(client: Client) -> None:
    """Wait until all rows are in segments, then let the next ones lie."""
    set_upkeep(client, RESTLESS)
    deadline = time.monotonic() + LONGEST_SEAL
    while client.result("GET", "")["status"] != "green":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    set_upkeep(client, AT_REST)


def set_upkeep(client: Client, upkeep: dict[str, Any]) -> None:
    client.ask("PATCH", "", {"metadata": {"palimpsest": upkeep}})


def write_first(client: Client, name: str) -> None:
    point = wide_point if name == WIDE else plain_point
    first = GRAPHED if name == WIDE else MORE
    upsert(client, [point(number) for number in range(first)])
    seal(client)
    if name == WIDE:
        fit(client)


def fit(client: Client) -> None:
    """Fit the adapters, which are the same when they are fitted again by the server."""
    for rows, queries in (("v1", "v2"), ("v2", "v1")):
        body = {"vector": "a", "rows": rows, "queries": queries, "kind": "ridge"}
        client.ask("POST", "/adapters", body)


def write_more(client: Client, name: str) -> None:
    """Write a second segment, edit and delete; the history ends with rows that are not sealed."""
    point = wide_point if name == WIDE else plain_point
    first = GRAPHED if name == WIDE else MORE
    upsert(client, [point(number) for number in range(first, first + MORE)])
    upsert(client, [point(number, 1) for number in range(0, MORE, 9)])
    seal(client)
    write_last(client, name)


def write_last(client: Client, name: str) -> None:
    point = wide_point if name == WIDE else plain_point
    first = (GRAPHED if name == WIDE else MORE) + MORE
    upsert(client, [point(number) for number in range(first, first + GROWING)])
    upsert(client, [point(number, 2) for number in range(1, MORE, 11)])
    edited = [point(number)["id"] for number in range(2, MORE, 13)]
    body = {"points": edited, "payload": {"colour": "violet", "edited": True}}
    client.ask("POST", "/points/payload?wait=true", body)
    gone = [point(number)["id"] for number in deleted(name)]
    client.ask("POST", "/points/delete?wait=true", {"points": gone})
    if name == WIDE:
        fit(client)


def deleted(name: str) -> list[int]:
    return [5, 17, 30, (GRAPHED if name == WIDE else MORE) + 3]


def set_stage(base: Path) -> Stage:
    """Write the directories."""
    data = base / "data"
    starter = Starter()
    try:
        server = Server(starter, data)
        server.wait_until_ready()
        for name in (*HURT, WELL):
            with Client(server.port, f"/collections/{name}") as client:
                found(client, name)
                write_first(client, name)
        with Client(server.port, "") as client:
            actions = [
                {"create_alias": {"collection_name": name, "alias_name": alias}}
                for alias, name in ALIASES.items()
            ]
            client.ask("POST", "/collections/aliases", {"actions": actions[1:]})
        server.stop()
        shutil.copytree(data, base / "earlier")
        leave_lost(data / "collections" / WIDE)
        server = Server(starter, data)
        server.wait_until_ready()
        for name in (*HURT, WELL):
            with Client(server.port, f"/collections/{name}") as client:
                write_more(client, name)
        with Client(server.port, "") as client:
            client.ask("POST", "/collections/aliases", {"actions": actions[:1]})
        server.kill()
        shutil.copytree(data, base / "killed")
        server = Server(starter, data)
        server.wait_until_ready()
        server.stop()
        data.rename(base / "rest")
    finally:
        starter.close()
    ids: dict[str, list[Id]] = {}
    for name in (*HURT, WELL):
        point = wide_point if name == WIDE else plain_point
        last = (GRAPHED if name == WIDE else MORE) + MORE + GROWING
        ids[name] = [point(number)["id"] for number in range(last)]
    return Stage(base / "rest", base / "killed", base / "earlier", ids)


def leave_lost(collection: Path) -> None:
    """Leave a folder that no table lists, which is kept in ``lost+found``."""
    folder = next((collection / "segments").iterdir())
    shutil.copytree(folder, folder.with_name("f" * 32))


def text_of(value: Any) -> str:
    """Return a value as JSON, for messages."""
    return json.dumps(value, ensure_ascii=False)
