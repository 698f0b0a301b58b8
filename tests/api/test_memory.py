"""A request that finds no memory is refused; the server lives on, and answers later."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import httpx
import pytest

from tests.api.replies import result
from tests.api.served import Server, serving

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(resource, "prlimit"), reason="Linux only"
)

URL = "/collections/c"
POINTS = 4_000
TEXT = 3_000  # bytes of each payload
ROOM = (2, 4, 8, 12, 16, 24, 32)  # MB beyond what the server has
WHOLE = {"limit": POINTS, "with_payload": True, "with_vector": True}
READS = (
    ("scroll", WHOLE),
    ("scroll", {**WHOLE, "filter": {"must_not": [{"has_id": [999_999]}]}}),
    ("query", {"query": [1.0, 2.0], **WHOLE}),
    ("query/groups", {"query": [1.0, 2.0], "group_by": "n", "limit": POINTS, **WHOLE}),
)


def size_of(server: Server) -> int:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def limit(server: Server, most: int) -> None:
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def test_large_replies_without_memory_are_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        result(http.put(URL, json={"vectors": {"size": 2, "distance": "Dot"}}))
        for first in range(0, POINTS, 500):
            points = [
                {"id": n, "vector": [1, n], "payload": {"n": n, "text": "x" * TEXT}}
                for n in range(first, first + 500)
            ]
            result(http.put(f"{URL}/points?wait=true", json={"points": points}))
        refused = 0
        for room in ROOM:
            for route, body in READS:
                limit(server, size_of(server) + (room << 20))
                status = http.post(f"{URL}/points/{route}", json=body).status_code
                limit(server, resource.RLIM_INFINITY)
                assert server.process.poll() is None, (room, route)
                assert status in (200, 503, 507), (room, route, status)
                refused += status != 200
        assert refused, "there was enough memory"
        found = result(http.post(f"{URL}/points/scroll", json=WHOLE))
        assert len(found["points"]) == POINTS
