"""Reading a whole collection through the server, page by page, as one client does."""

from __future__ import annotations

import gzip
import http.client
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import load, servers
from tests.bench.load import Load
from tests.bench.report import Result, rate

_PATH = "/collections/scroll"
_BATCH = 1_000
_PAGE = 1_000
_MUST = 40_000  # points a second


class _Id(msgspec.Struct):
    id: int


class _Page(msgspec.Struct):
    points: list[_Id]
    next_page_offset: int | None


class _Reply(msgspec.Struct):
    result: _Page


def measure(folder: Path, rounds: int) -> Iterator[Result]:
    """Yield the rows; ``folder`` holds `text/corpus.jsonl.gz`."""
    with gzip.open(folder / "text/corpus.jsonl.gz", "rt") as lines:
        payloads = [_payload(json.loads(line)) for line in lines]
    with (
        tempfile.TemporaryDirectory() as data,
        servers.running(servers.palimpsest(Path(data))) as server,
    ):
        _fill(server, payloads)
        conditions: dict[str, Any] = {
            "": None,
            ", by a filter that half of them pass": {
                "must": [{"key": "n_words", "range": {"gte": 22}}]
            },
        }
        for name, filter in conditions.items():
            count, seconds = min(
                (_read_all(server, filter) for _ in range(rounds)), key=lambda each: each[1]
            )
            yield Result(
                f"REST scroll of {count:,} points with payload by {_PAGE:,}, one client{name}",
                "" if name else f">= {rate(_MUST)}",
                "",
                f"{rate(count / seconds)}",
            )


def _payload(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("row", "id")}


def _fill(server: servers.Server, payloads: list[dict[str, Any]]) -> None:
    server.call("PUT", _PATH, {"vectors": {"size": 4, "distance": "Dot"}})
    bodies = []
    for start in range(0, len(payloads), _BATCH):
        some = enumerate(payloads[start : start + _BATCH], start)
        points = [{"id": i, "vector": [1, 0, 0, i % 7], "payload": each} for i, each in some]
        bodies.append(msgspec.json.encode({"points": points}))
    requests = [load.request("PUT", f"{_PATH}/points?wait=true", body) for body in bodies]
    load.run(server.port, requests, Load(2, count=len(requests)))
    index = {"field_name": "n_words", "field_schema": "integer"}
    server.call("PUT", f"{_PATH}/index?wait=true", index)


def _read_all(server: servers.Server, filter: Any) -> tuple[int, float]:
    """Read every page on one connection; return the points and the seconds it took."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    decode = msgspec.json.Decoder(_Reply).decode
    count, offset = 0, None
    begin = time.perf_counter()
    while True:
        body = {"limit": _PAGE, "offset": offset, "filter": filter, "with_payload": True}
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"{_PATH}/points/scroll", msgspec.json.encode(body), headers)
        page = decode(connection.getresponse().read()).result
        count += len(page.points)
        offset = page.next_page_offset
        if offset is None:
            break
    seconds = time.perf_counter() - begin
    connection.close()
    return count, seconds
