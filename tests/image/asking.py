"""Runs inside the image, by its interpreter: asks its server, and is told what to find.

``write`` makes a collection of 200 points and queries it; ``read`` finds them; ``load`` queries
until nobody answers any more, and fails on a reply that is no answer.
"""

import json
import os
import sys
import threading
import urllib.error
import urllib.request

ROWS = 200
WHOLE = "/collections/pets"


def call(method: str, path: str, body: object = None) -> dict:
    """Send one request; return what the reply holds. Raises OSError."""
    port, key = os.environ["PALIMPSEST_PORT"], os.environ["PALIMPSEST_API_KEY"]
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    asked.add_header("api-key", key)
    if body is not None:
        asked.data = json.dumps(body).encode()
        asked.add_header("content-type", "application/json")
    with urllib.request.urlopen(asked, timeout=30) as reply:
        return json.load(reply)["result"]


def vector(row: int) -> list:
    """Return a row that is nearest to itself."""
    return [1.0, row / ROWS, (row * row) / ROWS**2, (row % 7) / 7]


def nearest(row: int) -> int:
    """Return the id that a query for a row finds."""
    found = call("POST", f"{WHOLE}/points/query", {"query": vector(row), "limit": 1})
    return found["points"][0]["id"]


def write() -> None:
    """Make the collection."""
    call("PUT", WHOLE, {"vectors": {"size": 4, "distance": "Euclid"}})
    points = [{"id": row, "vector": vector(row), "payload": {"row": row}} for row in range(ROWS)]
    call("PUT", f"{WHOLE}/points?wait=true", {"points": points})


def read() -> None:
    """Find what was written."""
    assert call("GET", WHOLE)["points_count"] == ROWS
    assert [nearest(row) for row in range(0, ROWS, 20)] == list(range(0, ROWS, 20))


def load() -> None:
    """Query on four connections until the server is gone; at most 20,000 times each."""
    refused = []

    def ask() -> None:
        for turn in range(20_000):
            try:
                nearest(turn % ROWS)
            except urllib.error.HTTPError as error:
                if error.code != 503:  # it is told to come again
                    refused.append(error.code)
                return
            except OSError:
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused, refused


if __name__ == "__main__":
    {"write": write, "read": read, "load": load}[sys.argv[1]]()
