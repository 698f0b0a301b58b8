"""A client that takes a collection through upgrades, and knows what each answered step left."""

from __future__ import annotations

import http.client
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tests.crash.reading import Client

PATH = "/collections/moving"
POINTS = 40
MIGRATED = range(0, POINTS, 2)
SIZES = {"v1": 6, "v2": 5}
MAPPED = "v1-in-v2"
MOST_STEPS = 10_000  # with one server, which is dead long before


class State(NamedTuple):
    """Of each version its state and how many points hold it; the adapters, rows before queries."""

    versions: dict[str, tuple[str, int]]
    adapters: set[tuple[str, str]]


class Step(NamedTuple):
    """A request, and the state it leaves."""

    method: str
    path: str
    body: Any
    after: State


def rows_of(version: str, n: int = POINTS) -> list[list[float]]:
    """Return vectors that are, in either version, maps of the same."""
    latent = np.random.default_rng(1).standard_normal((n, 5))
    plane = np.random.default_rng(SIZES[version]).standard_normal((5, SIZES[version]))
    rows: list[list[float]] = (latent @ plane).tolist()
    return rows


def points_of(version: str, name: str, ids: range) -> dict[str, Any]:
    """Return the body that writes a version's vectors of points."""
    rows = rows_of(version)
    return {"points": [{"id": one, "vector": {name: rows[one]}} for one in ids]}


def fit_of(rows: str, queries: str) -> dict[str, Any]:
    """Return the body that fits an adapter."""
    pairs = {"rows": rows_of(rows, 64), "queries": rows_of(queries, 64)}
    return {"rows": rows, "queries": queries, "kind": "procrustes", "pairs": pairs}


HALF, REST = len(MIGRATED), POINTS - len(MIGRATED)
OLD = State({"v1": ("active", POINTS)}, set())
TO_NEW, TO_OLD, OF_MAPPED = ("v1", "v2"), ("v2", "v1"), (MAPPED, "v2")
STARTED = {"v1": ("active", POINTS), "v2": ("shadow", HALF)}
SWITCHED = {"v1": ("serving", POINTS), "v2": ("active", HALF)}
KEPT = {**SWITCHED, MAPPED: ("serving", REST)}
RETIRED = {**KEPT, "v1": ("retired", POINTS)}
DROPPED = {"v2": ("active", HALF), MAPPED: ("serving", REST)}
FORCED = {"force": True}

STEPS = (
    Step(
        "PUT",
        "/versions/v2",
        {"size": SIZES["v2"], "model": "new"},
        State({**OLD.versions, "v2": ("shadow", 0)}, set()),
    ),
    Step(
        "PUT", "/points/vectors?wait=true", points_of("v2", "@v2", MIGRATED), State(STARTED, set())
    ),
    Step("POST", "/adapters", fit_of(*TO_NEW), State(STARTED, {TO_NEW})),
    Step("POST", "/adapters", fit_of(*TO_OLD), State(STARTED, {TO_NEW, TO_OLD})),
    Step("POST", "/versions/v2/activate", FORCED, State(SWITCHED, {TO_NEW, TO_OLD})),
    Step(
        "POST",
        "/versions/v1/activate",
        FORCED,
        State({"v1": ("active", POINTS), "v2": ("serving", HALF)}, {TO_NEW, TO_OLD}),
    ),
    Step("POST", "/versions/v2/activate", FORCED, State(SWITCHED, {TO_NEW, TO_OLD})),
    Step(
        "POST",
        "/versions/v2/consolidate",
        {"rows": "v1"},
        State(KEPT, {TO_NEW, TO_OLD, OF_MAPPED}),
    ),
    Step("POST", "/versions/v1/retire", None, State(RETIRED, {TO_NEW, TO_OLD, OF_MAPPED})),
    Step("DELETE", "/versions/v1", None, State(DROPPED, {OF_MAPPED})),
)
CONSOLIDATING = 7
assert STEPS[CONSOLIDATING].path.endswith("consolidate")


@dataclass
class Upgrader:
    """``done`` steps were answered; ``cut_off`` tells that the next one was begun."""

    done: int = 0
    cut_off: bool = False
    refused: str | None = None
    seen: Counter[str] = field(default_factory=Counter)

    def found(self, port: int) -> None:
        """Create the collection, all points with the old version."""
        with Client(port, PATH) as client:
            if client.send("GET", "")[0] == 200:
                client.ask("DELETE", "")
            client.ask("PUT", "", {"vectors": {"size": SIZES["v1"], "distance": "Cosine"}})
            client.ask("PUT", "/points?wait=true", points_of("v1", "", range(POINTS)))
        self.done = 0

    def upgrade_until_dead(self, port: int) -> None:
        """Take step after step, upgrade after upgrade, until the server is gone."""
        try:
            for _ in range(MOST_STEPS):
                if self.done == len(STEPS):
                    self.found(port)
                with Client(port, PATH) as client:
                    self._take(client)
        except (ConnectionError, http.client.HTTPException):
            return
        except AssertionError as error:  # raised in a thread, it would be lost
            self.refused = f"step {self.done}: {error}"

    def _take(self, client: Client) -> None:
        step = STEPS[self.done]
        self.cut_off = True
        client.ask(step.method, step.path, step.body)
        self.done, self.cut_off = self.done + 1, False
        self.seen["answered"] += 1

    def check(self, port: int) -> None:
        """Compare a server that was started again with what it had answered."""
        with Client(port, PATH) as client:
            status, text = client.send("GET", "/versions")
            if self.done == len(STEPS) and not self._is_whole(client, status):
                self.found(port)  # killed between two upgrades
                return
            assert status == 200, text
            found = state_of(client)
            if not self._is_expected(found):
                raise AssertionError(f"after step {self.done}: {found}")
            check_searches(client, found)

    def _is_whole(self, client: Client, status: int) -> bool:
        return status == 200 and state_of(client) == STEPS[-1].after

    def _is_expected(self, found: State) -> bool:
        before = STEPS[self.done - 1].after if self.done else OLD
        if found == before:
            self.seen["not made"] += self.cut_off
            self.cut_off = False
            return True
        if not self.cut_off:
            return False
        self.cut_off = False
        after = STEPS[self.done].after
        if found == after:
            self.done += 1
            self.seen["made"] += 1
            return True
        self.seen["part done"] += 1
        return self.done == CONSOLIDATING and _is_between(found, before, after)


def _is_between(found: State, before: State, after: State) -> bool:
    """Tell whether part of a consolidation was made, which goes on where it stopped."""
    known = {version: one for version, one in found.versions.items() if version != MAPPED}
    return known == before.versions and before.adapters <= found.adapters <= after.adapters


def state_of(client: Client) -> State:
    """Return the state a server shows."""
    versions = client.result("GET", "/versions")["versions"]
    adapters = client.result("GET", "/adapters")["adapters"]
    return State(
        {one["version"]: (one["state"], one["points"]) for one in versions},
        {(one["rows"], one["queries"]) for one in adapters},
    )


def check_searches(client: Client, found: State) -> None:
    """Require the points each version holds to be found natively, all of them by the active one."""
    info = client.result("GET", "")
    active = next(version for version, (state, _) in found.versions.items() if state == "active")
    assert info["config"]["params"]["vectors"]["size"] == SIZES[active]
    assert info["points_count"] == POINTS
    for version in SIZES.keys() & found.versions.keys():
        bridged = any(queries == version for _, queries in found.adapters)
        if not bridged and found.versions[version][1] < POINTS:
            continue  # to some points nothing leads
        query = rows_of(version)[MIGRATED[2]]
        body = {"query": query, "using": f"@{version}", "limit": 2 * POINTS}
        everything = [one["id"] for one in client.result("POST", "/points/query", body)["points"]]
        assert sorted(everything) == list(range(POINTS))
        assert everything[0] == MIGRATED[2]
