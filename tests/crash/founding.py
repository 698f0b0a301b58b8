"""A client that creates and drops a collection, and knows whether there should be one."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from tests.crash.reading import Client

PATH = "/collections/passing"
BODY = {"vectors": {"size": 4, "distance": "Cosine"}}
POINT = {"points": [{"id": 1, "vector": [1, 2, 3, 4]}]}
MOST_TURNS = 10_000  # with one server, which is dead long before


@dataclass
class Founder:
    """``exists`` is what was answered; ``cut_off`` tells that a change was not."""

    exists: bool = False
    cut_off: bool = False

    def found_until_dead(self, port: int) -> None:
        """Create, fill and drop the collection until the server is gone."""
        try:
            with Client(port, PATH) as client:
                for _ in range(MOST_TURNS):
                    self._turn(client)
        except (ConnectionError, http.client.HTTPException):
            return

    def _turn(self, client: Client) -> None:
        self.cut_off = True
        if self.exists:
            client.ask("DELETE", "")
        else:
            client.ask("PUT", "", BODY)
        self.exists, self.cut_off = not self.exists, False
        if self.exists:
            client.ask("PUT", "/points", POINT)

    def check(self, port: int) -> None:
        """Compare a server that was started again with what it had answered."""
        with Client(port, PATH) as client:
            status, text = client.send("GET", "")
            assert status in (200, 404), text
            exists = status == 200
            assert exists == self.exists or self.cut_off
            self.exists, self.cut_off = exists, False
