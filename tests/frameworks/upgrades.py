"""A larger shelf of texts, and two embedding models of it, as an upgrade has them.

Both models add up a vector per word, so that what one of them finds close the other does as well,
in a space of another size.
"""

from __future__ import annotations

import random
import time
from typing import Any
from zlib import crc32

import httpx
import numpy as np

from tests.api.replies import result
from tests.frameworks.words import tokens

OLD_SIZE, NEW_SIZE = 48, 64
WORDS = (
    "harbour dawn fishing boat mackerel charcoal town market bread cheese rye flour violin "
    "concert theatre comedy mountain trail snow village april sheep river bridge lantern clock "
    "tower garden orchard apple honey storm sail anchor island ferry lighthouse whale"
).split()
TEXTS = [
    " ".join(random.Random(n).sample(WORDS, 6)) + f" {WORDS[n % len(WORDS)]}" for n in range(300)
]
MIGRATED = 120  # texts embedded anew before an adapter is fitted
QUERIES = [f"{WORDS[n]} {WORDS[n + 1]} {WORDS[n + 2]}" for n in range(0, 30, 3)]


def embed(text: str, model: str, size: int) -> list[float]:
    total = np.zeros(size, dtype=np.float32)
    for token in tokens(text):
        own = np.random.default_rng(crc32(f"{model} {token}".encode()))
        total += own.standard_normal(size).astype(np.float32)
    return [float(value) for value in total / np.linalg.norm(total)]


def old_dense(text: str) -> list[float]:
    return embed(text, "old", OLD_SIZE)


def new_dense(text: str) -> list[float]:
    return embed(text, "new", NEW_SIZE)


class Operator:
    """What whoever runs the server sends besides: the calls that no framework knows."""

    def __init__(self, url: str, name: str, vector: str = "") -> None:
        self.http = httpx.Client(base_url=url, timeout=60)
        self.path = f"/collections/{name}"
        self.vector = vector

    def close(self) -> None:
        self.http.close()

    def declare(self) -> None:
        body = {"vector": self.vector, "size": NEW_SIZE, "model": "new"}
        result(self.http.put(f"{self.path}/versions/v2", json=body))

    def fit(self) -> dict[str, Any]:
        body = {"vector": self.vector, "rows": "v1", "queries": "v2"}
        fitted: dict[str, Any] = result(self.http.post(f"{self.path}/adapters", json=body))
        self.wait_until_tried()
        return fitted

    def wait_until_tried(self) -> None:
        """Wait for the dearer kinds: one that takes the place of the first changes answers."""
        deadline = time.monotonic() + 60
        while any(
            one["untried"] for one in result(self.http.get(f"{self.path}/adapters"))["adapters"]
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def compare(self) -> dict[str, Any]:
        queries = {
            "v1": [old_dense(text) for text in QUERIES],
            "v2": [new_dense(text) for text in QUERIES],
        }
        body = {"vector": self.vector, "old": "v1", "new": "v2", "queries": queries}
        compared: dict[str, Any] = result(self.http.post(f"{self.path}/compare", json=body))
        return compared

    def backfill(self, limit: int) -> list[dict[str, Any]]:
        parameters: dict[str, str | int] = {"version": "v2", "vector": self.vector}
        parameters |= {"limit": limit, "with_payload": True}
        reply = self.http.get(f"{self.path}/backfill", params=parameters)
        points: list[dict[str, Any]] = result(reply)["points"]
        return points

    def status(self) -> dict[str, Any]:
        parameters = {"version": "v2", "vector": self.vector}
        reply = self.http.get(f"{self.path}/backfill/status", params=parameters)
        told: dict[str, Any] = result(reply)
        return told

    def activate(self, version: str) -> None:
        body = {"vector": self.vector}
        result(self.http.post(f"{self.path}/versions/{version}/activate", json=body))

    def drop(self, version: str) -> None:
        parameters = {"vector": self.vector}
        result(self.http.delete(f"{self.path}/versions/{version}", params=parameters))

    def states(self) -> dict[str, str]:
        versions = result(self.http.get(f"{self.path}/versions"))["versions"]
        return {one["version"]: one["state"] for one in versions if one["vector"] == self.vector}
