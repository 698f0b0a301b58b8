"""Everything a server holds, and what is wrong with it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from tests.crash.writing import LARGEST, SETS, Id, Points, Stored, Writer, number_of

PAGE = 1_000
PAGES = 100  # far more than there are


class Record(msgspec.Struct):
    id: int | str
    payload: msgspec.Raw
    vector: dict[str, msgspec.Raw]  # read as floats only: the integer -0 has no sign


class Page(msgspec.Struct):
    points: list[Record]
    next_page_offset: int | str | None


class Scrolled(msgspec.Struct):
    result: Page


_SCROLLED = msgspec.json.Decoder(Scrolled)


class Client:
    """One connection to a collection; use it as a context."""

    def __init__(self, port: int, path: str) -> None:
        self.path = path
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return a reply's status and text."""
        text = None if body is None else json.dumps(body).encode()
        self.connection.request(method, self.path + path, text)
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """Return the text of a reply, which must be a success."""
        status, answer = self.send(method, path, body)
        assert status == 200, answer
        return answer

    def result(self, method: str, path: str, body: Any = None) -> Any:
        """Return the result inside a reply."""
        return json.loads(self.ask(method, path, body))["result"]

    def points(self) -> Points:
        """Return all points, bit for bit."""
        found: Points = {}
        start: Id | None = None
        for _ in range(PAGES):
            body = {"limit": PAGE, "offset": start, "with_vector": True}
            page = _SCROLLED.decode(self.ask("POST", "/points/scroll", body)).result
            found.update((record.id, stored(record)) for record in page.points)
            start = page.next_page_offset
            if start is None:
                return found
        raise AssertionError(f"more than {PAGES} pages")

    def nearest(self, vector: bytes, name: str, limit: int, **parameters: Any) -> list[Id]:
        """Return the ids found by a search."""
        query = np.frombuffer(vector, dtype=np.float32)
        if name in SETS:
            query = query.reshape(-1, SETS[name])
        body = {"query": query.tolist(), "using": name, "limit": limit, "params": parameters}
        hits = self.result("POST", "/points/query", body)["points"]
        return [hit["id"] for hit in hits]


def stored(record: Record) -> Stored:
    payload = bytes(record.payload)
    flat = {name: bytes(text).translate(None, b"[]") for name, text in record.vector.items()}
    vectors = {
        name: np.fromstring(text, sep=",").astype(np.float32).tobytes()
        for name, text in flat.items()
    }
    return (None if payload in (b"null", b"{}") else payload), vectors


def check(client: Client, writers: Iterable[Writer], rng: np.random.Generator) -> list[bool]:
    """Compare a reopened collection with what its writers know.

    Returns:
        For each write that was cut off, whether it was made.
    """
    found, made = client.points(), []
    left = dict(found)
    for writer in writers:
        own = {one: left.pop(one) for one in writer.ids if one in left}
        wholly = writer.after_cut_off()
        if own not in (writer.points, wholly):
            raise AssertionError(
                f"against what was answered: {differences(own, writer.points)}; "
                f"with the write that was cut off: {differences(own, wholly)}"
            )
        if wholly != writer.points:
            made.append(own == wholly)
        writer.settle(own)
    assert not left, f"points nobody wrote: {sorted(map(str, left))}"
    check_counts(client, found, rng)
    check_searches(client, found, rng)
    return made


def differences(found: Points, expected: Points) -> str:
    """Say in a line how the points differ."""
    kinds = {
        "lost": [one for one in expected if one not in found],
        "extra": [one for one in found if one not in expected],
        "other": [one for one in found if one in expected and found[one] != expected[one]],
    }
    return ", ".join(f"{len(ids)} {kind} {ids[:3]}" for kind, ids in kinds.items())


def check_counts(client: Client, found: Points, rng: np.random.Generator) -> None:
    assert client.result("POST", "/points/count", {"exact": True})["count"] == len(found)
    assert client.result("GET", "")["points_count"] == len(found)
    least = int(rng.integers(LARGEST))  # through the index of "n", where there is one
    filter = {"must": [{"key": "n", "range": {"gte": least}}]}
    larger = {one for one, point in found.items() if number_of(point) >= least}
    body = {"filter": filter, "exact": True}
    assert client.result("POST", "/points/count", body)["count"] == len(larger)
    body = {"filter": filter, "limit": len(found) + 10, "with_payload": False}
    page = client.result("POST", "/points/scroll", body)
    assert {point["id"] for point in page["points"]} == larger


def check_searches(client: Client, found: Points, rng: np.random.Generator) -> None:
    """Search for everything, then for some points by their own vectors."""
    for name in ("a", "b", *SETS):
        having = {one: vectors[name] for one, (_, vectors) in found.items() if name in vectors}
        if not having:
            continue
        ids = list(having)
        everything = client.nearest(having[ids[0]], name, len(found) + 10, exact=True)
        assert len(everything) == len(ids)
        assert set(everything) == set(ids)
        for place in rng.integers(len(ids), size=3):
            one = ids[place]
            nearby = client.nearest(having[one], name, 10, hnsw_ef=512)
            assert len(nearby) == len(set(nearby)) == min(10, len(ids))
            assert set(nearby) <= set(ids)
            if name == "a":  # under Dot a point need not be closest to itself
                assert client.nearest(having[one], name, 1, exact=True) == [one]
                assert one in nearby
