"""A client that creates, calls by an alias and drops a collection, and knows which of it is so."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from tests.crash.reading import Client

PATH = "/collections/passing"
ALIAS = "passing-by"
BODY = {"vectors": {"size": 4, "distance": "Cosine"}}
POINT = {"points": [{"id": 1, "vector": [1, 2, 3, 4]}]}
CALLED = {"actions": [{"create_alias": {"collection_name": "passing", "alias_name": ALIAS}}]}
MOST_TURNS = 10_000  # with one server, which is dead long before
GONE, THERE, ALIASED = range(3)  # each comes after the one before


@dataclass
class Founder:
    """``state`` is what was answered; ``cut_off`` tells that the next change was not."""

    state: int = GONE
    cut_off: bool = False

    def found_until_dead(self, port: int) -> None:
        """Create, fill, call and drop the collection until the server is gone."""
        try:
            with Client(port, PATH) as client, Client(port, "/collections/aliases") as aliases:
                for _ in range(MOST_TURNS):
                    self._turn(client, aliases)
        except (ConnectionError, http.client.HTTPException):
            return

    def _turn(self, client: Client, aliases: Client) -> None:
        self.cut_off = True
        if self.state == GONE:
            client.ask("PUT", "", BODY)
        elif self.state == THERE:
            aliases.ask("POST", "", CALLED)
        else:
            client.ask("DELETE", "")
        self.state, self.cut_off = (self.state + 1) % 3, False
        if self.state == THERE:
            client.ask("PUT", "/points", POINT)

    def check(self, port: int) -> None:
        """Compare a server that was started again with what it had answered."""
        found = state_of(port)
        assert found == self.state or (self.cut_off and found == (self.state + 1) % 3), (
            f"answered: {self.state}, cut off: {self.cut_off}, found: {found}"
        )
        self.state, self.cut_off = found, False


def state_of(port: int) -> int:
    """Return the state a server shows."""
    with Client(port, PATH) as client, Client(port, "/aliases") as aliases:
        status, text = client.send("GET", "")
        assert status in (200, 404), text
        listed = aliases.result("GET", "")["aliases"]
        names = [(one["alias_name"], one["collection_name"]) for one in listed]
    if status == 404:
        assert names == []
        return GONE
    assert names in ([], [(ALIAS, "passing")])
    return ALIASED if names else THERE
