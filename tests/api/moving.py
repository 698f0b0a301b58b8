"""Collections of everything that is to survive being moved, and what is in one."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np

UUID = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"
DECLARED: dict[str, Any] = {
    "vectors": {
        "": {"size": 3, "distance": "Cosine"},
        "цвет.x y": {"size": 2, "distance": "Euclid"},
        "sets": {
            "size": 2,
            "distance": "Dot",
            "multivector_config": {"comparator": "max_sim"},
        },
    },
    "sparse_vectors": {"lex": {"modifier": "idf"}},
}
PAYLOADS = (
    '{"ключ":18446744073709551615,"neg":-9223372036854775808,"x":1.10,"tiny":5e-324}',
    '{"a.b":{"c[0]":[null,[],{}]},"":"\\u0000é😀","e\u0301":1,"é":2}',
    '{"when":"2024-02-29T12:00:00Z","long":123456789012345678901234567890}',
    "{}",
)


def everything(n: int = 60, seed: int = 0) -> list[str]:
    """Return bodies of points: vectors of all kinds or none, ids and payloads of all sorts."""
    rng = np.random.default_rng(seed)
    points = []
    for place in range(n):
        scale = 10.0 ** rng.uniform(-12, 12)
        dense = (rng.standard_normal(3) * scale).astype("f4").astype(float).tolist()
        vectors: dict[str, Any] = {"": dense}
        if place % 2:
            vectors["цвет.x y"] = rng.standard_normal(2).astype("f4").astype(float).tolist()
        if place % 3:
            vectors["sets"] = rng.standard_normal((place % 4 + 1, 2)).astype("f4").tolist()
        if place % 5:
            indices = rng.choice(2**32, place % 3 + 1, replace=False).tolist()
            values = rng.standard_normal(len(indices)).astype("f4").tolist()
            vectors["lex"] = {"indices": indices, "values": values}
        if place % 11 == 10:
            vectors = {}
        point_id = 2**64 - 1 - place if place % 2 else place
        shown = json.dumps(f"{UUID[:-4]}{place:04x}" if place % 7 == 6 else point_id)
        payload = PAYLOADS[place % len(PAYLOADS)]
        points.append(f'{{"id":{shown},"vector":{json.dumps(vectors)},"payload":{payload}}}')
    return points


def fill(http: httpx.Client, name: str, points: list[str]) -> None:
    """Write points."""
    body = '{"points":[' + ",".join(points) + "]}"
    reply = http.put(f"/collections/{name}/points?wait=true", content=body.encode())
    assert reply.status_code == 200, reply.text


def contents(http: httpx.Client, name: str) -> list[str]:
    """Return the texts of all points, in the order of their ids."""
    told = []
    offset: Any = None
    while True:
        body = {"limit": 500, "offset": offset, "with_payload": True, "with_vector": True}
        reply = http.post(f"/collections/{name}/points/scroll", json=body)
        assert reply.status_code == 200, reply.text
        # Numbers as the texts that they are.
        page = json.loads(reply.text, parse_float=str, parse_int=lambda text: f"int {text}")
        told += [json.dumps(one, sort_keys=True) for one in page["result"]["points"]]
        offset = reply.json()["result"]["next_page_offset"]
        if offset is None:
            return told
