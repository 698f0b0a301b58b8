"""The calls of the REST API that the story makes, over one kept connection."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any

import numpy as np

from palimpsest.app.demo.embedders import Vectors
from palimpsest.app.demo.errors import DemoError

TIMEOUT = 120  # seconds; for the longest fit on a slow machine
BATCH = 500  # points or pairs in a body
SEARCHES = 50  # in a body


class Client:
    """A client of one server, for one thread."""

    def __init__(self, host: str, port: int) -> None:
        self.url = f"http://{host}:{port}"
        # Of the standard library, and one connection: the demo is to run where only the server is
        # installed.
        self._connection = HTTPConnection(host, port, timeout=TIMEOUT)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def is_ready(self) -> bool:
        """Return whether the server serves."""
        try:
            self._send("GET", "/readyz", None)
        except (OSError, HTTPException, DemoError):
            self._connection.close()
            return False
        return True

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the ``result`` of a call.

        Raises:
            DemoError: the server refuses it, or cannot be reached.
        """
        try:
            return json.loads(self._send(method, path, body))["result"]
        except (OSError, HTTPException) as error:
            raise DemoError(f"{method} {self.url}{path}: {error!r}") from error

    def upload(self, collection: str, vectors: Vectors, payloads: Sequence[dict[str, Any]]) -> None:
        """Add points 0, 1, 2, ... to a collection, durably."""
        for part in _parts(len(vectors), BATCH):
            points = [
                {"id": number, "vector": encoded(vectors[number]), "payload": payloads[number]}
                for number in part
            ]
            self.call("PUT", f"/collections/{collection}/points?wait=true", {"points": points})

    def add_vectors(self, collection: str, ids: Sequence[int], vectors: Vectors) -> None:
        """Give points that exist a vector of what the collection's name means."""
        for part in _parts(len(ids), BATCH):
            points = [{"id": ids[place], "vector": encoded(vectors[place])} for place in part]
            path = f"/collections/{collection}/points/vectors?wait=true"
            self.call("PUT", path, {"points": points})

    def search(self, collection: str, queries: Vectors, limit: int) -> list[list[int]]:
        """Return the ids of the points nearest to each query, best first."""
        found: list[list[int]] = []
        for part in _parts(len(queries), SEARCHES):
            searches = [{"query": encoded(queries[place]), "limit": limit} for place in part]
            path = f"/collections/{collection}/points/query/batch"
            answers = self.call("POST", path, {"searches": searches})
            found += [[point["id"] for point in answer["points"]] for answer in answers]
        return found

    def _send(self, method: str, path: str, body: Any) -> bytes:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"content-type": "application/json"})
        with self._connection.getresponse() as reply:
            text = reply.read()
        if reply.status != 200:
            raise DemoError(
                f"{method} {self.url}{path}: expected 200, got {reply.status}: "
                f"{text.decode(errors='replace')[:500]}"
            )
        return text


def encoded(vector: Vectors) -> str:
    """Return a vector as the server also reads it: base64 of little-endian float32."""
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def _parts(number: int, size: int) -> Iterator[range]:
    for start in range(0, number, size):
        yield range(start, min(start + size, number))
