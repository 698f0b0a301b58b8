"""A server at full load for a while: errors, memory, descriptors, disk."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.api.served import Server, serving
from tests.soak.clients import IDS, KINDS, PATH, Client, delete_most, prepare
from tests.soak.watching import Sample, Verdict, disk_of, judge, sample

SHORT = 300.0  # seconds
FLAT, FLAT_WHEN_SHORT = (0.05, 0.5), (0.35, 1.5)  # memory and disk, from there on and before
_GIVEN_BACK = 0.4  # of the disk that may be left of one of which nine tenths were deleted
_PATIENCE = 120.0  # seconds until then


@dataclass(frozen=True)
class Soaked:
    """What came of it."""

    seconds: float
    done: dict[str, Counter[int]]  # requests of each kind by status
    slowest: dict[str, float]  # seconds that the slowest of each kind took
    errors: list[str]
    verdicts: list[Verdict]

    @property
    def holds(self) -> bool:
        """Whether all was as it is wanted."""
        return not self.errors and all(one.holds for one in self.verdicts)


def soak(data: Path, seconds: float, ids: int = IDS) -> Soaked:
    """Keep a server on a new data directory at full load for so long, with so many points."""
    with serving(data, PALIMPSEST_THREADS="2") as server:
        prepare(server.url, ids)
        clients = [Client(server.url, kind, seed, ids) for seed, kind in enumerate(KINDS)]
        for one in clients:
            one.start()
        samples = _watch(server, clients, seconds)
        for one in clients:
            one.ended.set()
        for one in clients:
            one.join()
        errors = [one.error for one in clients if one.error]
        tolerance = FLAT if seconds >= SHORT else FLAT_WHEN_SHORT
        verdicts = [] if errors else [*judge(samples, *tolerance), _given_back(server, ids)]
        errors += _state_errors(server)
    done: dict[str, Counter[int]] = {}
    slowest = dict.fromkeys(KINDS, 0.0)
    for one in clients:
        done.setdefault(one.kind, Counter()).update(one.done)
        slowest[one.kind] = max(slowest[one.kind], one.slowest)
    return Soaked(seconds, done, slowest, errors, verdicts)


def _watch(server: Server, clients: list[Client], seconds: float) -> list[Sample]:
    """Look once a second; end early where a client failed."""
    samples, until = list[Sample](), time.monotonic() + seconds
    while time.monotonic() < until and not any(one.error for one in clients):
        samples.append(sample(server.process.pid, server.data))
        time.sleep(min(1.0, seconds / 60))
    return samples


def _given_back(server: Server, ids: int) -> Verdict:
    """Delete most points, and wait until the disk is given back."""
    _wait_until_green(server)
    before = disk_of(server.data / "collections")
    delete_most(server.url, ids)
    until, after = time.monotonic() + _PATIENCE, before
    while after > _GIVEN_BACK * before and time.monotonic() < until:
        time.sleep(0.5)
        after = disk_of(server.data / "collections")
    return Verdict(
        "disk without nine tenths of the points, MB",
        f"{before / 1e6:.1f}",
        f"{after / 1e6:.1f}",
        f"at most {_GIVEN_BACK:.0%}",
        after <= _GIVEN_BACK * before,
    )


def _wait_until_green(server: Server) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if httpx.get(f"{server.url}{PATH}").json()["result"]["status"] == "green":
            return
        time.sleep(0.2)


def _state_errors(server: Server) -> list[str]:
    found = httpx.get(f"{server.url}{PATH}").json()["result"]
    status = found["optimizer_status"]
    return [] if status == "ok" else [f"the collection says {status}"]
