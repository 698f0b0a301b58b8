"""Writers that know what they were answered.

Each owns its points, so what the server must hold of them follows from its own answers: all writes
that were answered and, of the one write that was cut off, everything or nothing.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from palimpsest.index.types import Vector

SIZES = {"a": 8, "b": 5}
SETS = {"sets": 4}  # dimensions of vectors, of which a point has some
HAS_SETS = 0.25  # of the points: enough for segments whose sets are found by candidates
MOST_IN_SET = 6
OWNED = 600  # ids of one writer; most of them are points at any time
LARGEST = 1 << 40  # of the number "n" in payloads
MOST_TRIES = 600  # of one write, while rows wait to be sealed
MOST_WRITES = 10_000  # by one writer to one server, which is dead long before

Id: TypeAlias = int | str
Stored: TypeAlias = tuple[bytes | None, dict[str, bytes]]  # payload, float32 bytes by vector name
Points: TypeAlias = dict[Id, Stored]


@dataclass
class Writer:
    """One client. ``points`` is what was answered, ``cut_off`` the write without an answer."""

    number: int
    writers: int
    rng: np.random.Generator
    points: Points = field(default_factory=dict)
    cut_off: dict[Id, Stored | None] | None = None
    answered: int = 0
    refused: tuple[int, str] | None = None  # status and text

    def __post_init__(self) -> None:
        self.ids: list[Id] = []
        for place in range(OWNED):
            own = place * self.writers + self.number
            kinds = (own, 2**64 - 1 - own, str(uuid.UUID(bytes=self.rng.bytes(16))))
            self.ids.append(kinds[place % 3])

    def write_until_dead(self, port: int, path: str) -> None:
        """Write until the server is gone, or refuses."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            for _ in range(MOST_WRITES):
                self._write(connection, path)
                if self.refused is not None:
                    return
        except (ConnectionError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def after_cut_off(self) -> Points:
        """Return the points as they are if the write without an answer was made."""
        return after(self.points, self.cut_off or {})

    def settle(self, found: Points) -> None:
        """Take what the server turned out to hold as answered."""
        self.points, self.cut_off = found, None

    def give_up(self) -> None:
        """Forget a write that was refused: it must not have been made."""
        self.refused = self.cut_off = None

    def write_all(self, connection: http.client.HTTPConnection, path: str) -> None:
        """Write every owned id once."""
        self._upsert(connection, path, self.ids)

    def write_some(self, connection: http.client.HTTPConnection, path: str, writes: int) -> None:
        """Make some writes, refused or not."""
        for _ in range(writes):
            self._write(connection, path)
            if self.refused is not None:
                self.give_up()

    def _write(self, connection: http.client.HTTPConnection, path: str) -> None:
        kind = self.rng.random()
        size = 200 if kind < 0.05 else int(self.rng.integers(1, 30))
        # With repetitions: a point may be written twice by one upsert, and the last counts.
        ids = [self.ids[place] for place in self.rng.integers(OWNED, size=size)]
        if kind < 0.65:
            self._upsert(connection, path, ids)
        elif kind < 0.8:
            self._overwrite(connection, path, [one for one in ids if one in self.points])
        elif kind < 0.9:
            body = json.dumps({"points": ids}).encode()
            self._send(connection, "POST", f"{path}/delete", body, dict.fromkeys(ids))
        else:
            self._delete_some(connection, path, ids)

    def _upsert(self, connection: http.client.HTTPConnection, path: str, ids: Sequence[Id]) -> None:
        written = [(one, *made_up(self.rng)) for one in ids]
        texts = [format_point(*point) for point in written]
        body = b'{"points":[' + b",".join(texts) + b"]}"
        stored = {
            one: (payload, {name: vector.tobytes() for name, vector in vectors.items()})
            for one, payload, vectors in written
        }
        self._send(connection, "PUT", path, body, stored)

    def _overwrite(
        self, connection: http.client.HTTPConnection, path: str, ids: Sequence[Id]
    ) -> None:
        """Replace the payloads of points that exist; their vectors stay."""
        payload, _ = made_up(self.rng)
        if not ids or payload is None:
            return
        body = b'{"points":%b,"payload":%b}' % (json.dumps(ids).encode(), payload)
        stored: Points = {one: (payload, self.points[one][1]) for one in ids}
        self._send(connection, "PUT", f"{path}/payload", body, stored)

    def _delete_some(
        self, connection: http.client.HTTPConnection, path: str, ids: Sequence[Id]
    ) -> None:
        """Delete those of the points that pass a filter on the payload."""
        least = int(self.rng.integers(LARGEST))
        chosen = [one for one in ids if one in self.points and number_of(self.points[one]) >= least]
        conditions = [{"has_id": ids}, {"key": "n", "range": {"gte": least}}]
        body = json.dumps({"filter": {"must": conditions}}).encode()
        self._send(connection, "POST", f"{path}/delete", body, dict.fromkeys(chosen))

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        changes: dict[Id, Stored | None] | Points,
    ) -> None:
        self.cut_off = dict(changes)
        # Without `wait` the answer comes as late and promises as much.
        wait = "true" if self.rng.random() < 0.8 else "false"
        for _ in range(MOST_TRIES):
            connection.request(method, f"{path}?wait={wait}", body)
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != 429:  # told to come again: nothing was changed
                break
            time.sleep(0.05)
        if reply.status != 200:
            self.refused = reply.status, text.decode()
            return
        self.points, self.cut_off = self.after_cut_off(), None
        self.answered += 1


def number_of(stored: Stored) -> int:
    """Return the number "n" of a point, -1 for one without payload."""
    payload = stored[0]
    return -1 if payload is None else int(json.loads(payload)["n"])


def after(points: Points, changes: dict[Id, Stored | None]) -> Points:
    """Return the points with changes made; None deletes."""
    merged: dict[Id, Stored | None] = {**points, **changes}
    return {one: stored for one, stored in merged.items() if stored is not None}


def made_up(rng: np.random.Generator) -> tuple[bytes | None, dict[str, Vector]]:
    """Return a payload, or none, and vectors: usually of both names, sometimes of one or none.

    Some have a set of vectors too, (n, d).
    """
    vectors = {
        name: rng.standard_normal(size, dtype=np.float32)
        for name, size in SIZES.items()
        if rng.random() < 0.85
    }
    for name, size in SETS.items():
        if rng.random() < HAS_SETS:
            count = int(rng.integers(1, MOST_IN_SET + 1))
            vectors[name] = rng.standard_normal((count, size), dtype=np.float32)
    for vector in vectors.values():
        if rng.random() < 0.1:
            vector[..., :2] = -0.0, 1e-42  # bits that a careless copy loses
    if rng.random() < 0.1:
        return None, vectors
    text = '{ "n":%d,"x" : 1.50, "text": "\\u00e9 é 文", "deep":{"list":[1,[],{}]},"fill":"%s"}'
    number, length = rng.integers(LARGEST), rng.integers(200)
    return (text % (number, "y" * length)).encode(), vectors


def format_point(one: Id, payload: bytes | None, vectors: dict[str, Vector]) -> bytes:
    """Return a point's JSON: vectors as numbers, or single ones as base64."""
    texts: dict[str, str | list[float]] = {
        name: base64.b64encode(vector.tobytes()).decode()
        if vector.ndim == 1 and one_in_two(one)
        else vector.tolist()
        for name, vector in vectors.items()
    }
    text = b'{"id":%b,"vector":%b' % (json.dumps(one).encode(), json.dumps(texts).encode())
    return text + (b"}" if payload is None else b',"payload":%b}' % payload)


def one_in_two(one: Id) -> bool:
    return len(str(one)) % 2 == 0
