"""A writing server is killed again and again, at random moments; nothing that was answered is lost.

Several clients write points of two vector names and one of sets, edit payloads and delete by an
indexed filter, while seals and compactions run all the time, and one creates and drops another
collection. The server gets SIGKILL and is started again on the same directory; then every answered
write is there bit for bit, a write that was cut off is there wholly or not at all, and counts,
filters and searches agree. Now and then the server is killed once more while it starts, or stopped
in peace. A directory goes through many kills before the next one begins with other settings.

A life is as long as some writes take, however busy the machine is; some end where a segment is seen
being written, and the first of a directory where a graph is.

``PALIMPSEST_KILLS`` sets the number of kills, ``PALIMPSEST_KILL_SEED`` the seed.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.crash.founding import Founder
from tests.crash.reading import Client, check
from tests.crash.starter import Server, Starter
from tests.crash.writing import SETS, SIZES, Writer

KILLS = int(os.environ.get("PALIMPSEST_KILLS", "60"))
SEED = int(os.environ.get("PALIMPSEST_KILL_SEED", "1"))
KILLS_OF_ONE_DIRECTORY = 40
WRITERS = 3
MEAN_WRITES, MOST_WRITES = 20, 160  # that are answered before a kill
LONGEST_WRITE = 0.01  # seconds, about: the kill comes somewhere in the next one
AIMED = 5  # of so many lives, one ends when a segment is seen being written
LONGEST_LIFE = 60.0  # seconds; a life takes a tenth of one
LONGEST_START = 0.1
SEGMENTS = "collections/*/segments"
PATH = "/collections/kept"
UPKEEP = ("4", 2, 0.2), ("float32", 3, 0.1), ("1", 2, 0.5), ("8", 4, 0.05), ("2", 2, 0.2)


@pytest.fixture
def starter() -> Iterator[Starter]:
    running = Starter()
    yield running
    running.close()


def restless(number: int) -> dict[str, Any]:
    """Return settings by which a collection seals after few rows and compacts often."""
    encoding, tier_factor, dead_ratio = UPKEEP[number % len(UPKEEP)]
    return {
        "vectors": {name: {"encoding": encoding} for name in SIZES},  # FDEs are always coded
        "seal_rows": 1_024,  # writes wait for seals before twice as many
        "quiet_rows": 64,
        "quiet_seconds": 0,
        "tier_factor": tier_factor,
        "dead_ratio": dead_ratio,
    }


def begin(server: Server, number: int, rng: np.random.Generator) -> list[Writer]:
    """Create a collection of enough points for a segment with a graph, then make it restless."""
    writers = [Writer(n, WRITERS, rng.spawn(1)[0]) for n in range(WRITERS)]
    kinds = zip(SIZES.items(), ("Euclid", "Dot"), strict=True)
    vectors: dict[str, Any] = {
        name: {"size": size, "distance": kind} for (name, size), kind in kinds
    }
    of_sets = {"distance": "Dot", "multivector_config": {"comparator": "max_sim"}}
    vectors |= {name: {"size": size, **of_sets} for name, size in SETS.items()}
    with Client(server.port, PATH) as client:
        client.ask("PUT", "", {"vectors": vectors})
        for writer in writers:
            writer.write_all(client.connection, f"{PATH}/points")
        client.ask("PUT", "/index?wait=true", {"field_name": "n", "field_schema": "integer"})
        client.ask("PATCH", "", {"metadata": {"palimpsest": restless(number)}})
    return writers


def run_writers(server: Server, writers: Sequence[Writer]) -> list[threading.Thread]:
    """Start the writers, each in a thread that ends when the server is gone or refuses."""
    threads = [
        threading.Thread(target=writer.write_until_dead, args=(server.port, f"{PATH}/points"))
        for writer in writers
    ]
    for thread in threads:
        thread.start()
    return threads


def write_and_kill(
    server: Server, writers: Sequence[Writer], founder: Founder, is_time: Callable[[], bool]
) -> None:
    threads = run_writers(server, writers)
    threads.append(threading.Thread(target=founder.found_until_dead, args=(server.port,)))
    threads[-1].start()
    deadline = time.monotonic() + LONGEST_LIFE
    while not is_time() and time.monotonic() < deadline:
        time.sleep(0.0005)
    server.kill()
    for thread in threads:
        thread.join()
    assert [writer.refused for writer in writers] == [None] * len(writers)


def moment_of(
    turn: int, data: Path, writers: Sequence[Writer], rng: np.random.Generator
) -> Callable[[], bool]:
    """Return what tells that it is time to kill the server of a turn."""
    if turn == 0:
        return lambda: any(data.glob(f"{SEGMENTS}/*/graph_*.npy"))
    if turn % AIMED == 0:
        return lambda: any(data.glob(f"{SEGMENTS}/*.tmp"))
    writes = min(rng.exponential(MEAN_WRITES), MOST_WRITES)
    until, pause = answered_by(writers) + writes, rng.uniform(0, LONGEST_WRITE)

    def is_time() -> bool:
        if answered_by(writers) < until:
            return False
        time.sleep(pause)
        return True

    return is_time


def answered_by(writers: Sequence[Writer]) -> int:
    return sum(writer.answered for writer in writers)


def run_for_nothing(starter: Starter, data: Path, rng: np.random.Generator) -> None:
    """Now and then kill a server while it starts, or stop one soon after."""
    chance = rng.random()
    if chance < 0.1:
        server = Server(starter, data)
        time.sleep(rng.uniform(0, LONGEST_START))
        server.kill()
    elif chance < 0.15:
        server = Server(starter, data)
        server.wait_until_ready()
        time.sleep(rng.uniform(0, LONGEST_START))
        server.stop()


def left_behind(data: Path) -> Counter[str]:
    """Return what the kill left: segments being written, graphs."""
    return Counter(
        unfinished=len(list(data.glob(f"{SEGMENTS}/*.tmp"))),
        graphs=len(list(data.glob(f"{SEGMENTS}/*/graph_*.npy"))),
    )


def survive_kills(
    starter: Starter, data: Path, number: int, kills: int, rng: np.random.Generator
) -> Counter[str]:
    """Kill one directory's server many times."""
    seen: Counter[str] = Counter()
    writers: list[Writer] = []
    founder = Founder()
    for turn in range(kills + 1):
        if turn:
            run_for_nothing(starter, data, rng)
        server = Server(starter, data)
        server.wait_until_ready()
        if turn:
            with Client(server.port, PATH) as client:
                made = check(client, writers, rng)
                assert client.result("GET", "")["optimizer_status"] == "ok"
            founder.check(server.port)
            assert not list(data.glob("unfinished/*"))
            seen["made"] += sum(made)
            seen["not made"] += len(made) - sum(made)
        else:
            writers = begin(server, number, rng)
        write_and_kill(server, writers, founder, moment_of(turn, data, writers, rng))
        seen += left_behind(data)
    seen["answered"] = answered_by(writers)
    return seen


def test_nothing_answered_is_lost(starter: Starter, tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    seen: Counter[str] = Counter()
    for number, first in enumerate(range(0, KILLS, KILLS_OF_ONE_DIRECTORY)):
        kills = min(KILLS_OF_ONE_DIRECTORY, KILLS - first)
        seen += survive_kills(starter, tmp_path / str(number), number, kills, rng)
    # The kills did hit writes before and after their commit, segments being written, and graphs.
    hit = ["answered", "made", "not made", "unfinished", "graphs"]
    assert all(seen[what] for what in hit), dict(seen)
