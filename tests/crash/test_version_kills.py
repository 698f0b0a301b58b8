"""A server is killed again and again in the middle of upgrades; each leaves one consistent state.

A client declares, fills, fits, activates, rolls back, consolidates, retires and drops versions, one
upgrade after another. Started again after SIGKILL, the server shows the versions, their points and
the adapters as they were after the last answered step or, if one was cut off, after that one; and
every point is found. Then the upgrade goes on.

``PALIMPSEST_VERSION_KILLS`` sets the number of kills, ``PALIMPSEST_KILL_SEED`` the seed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.crash.starter import Server, Starter
from tests.crash.upgrading import Upgrader

KILLS = int(os.environ.get("PALIMPSEST_VERSION_KILLS", "40"))
SEED = int(os.environ.get("PALIMPSEST_KILL_SEED", "1"))
LONGEST_RUN = 0.5  # seconds before a kill; a whole upgrade takes about as long


@pytest.fixture
def starter() -> Iterator[Starter]:
    running = Starter()
    yield running
    running.close()


def test_every_kill_leaves_one_consistent_state(starter: Starter, tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    upgrader = Upgrader()
    for turn in range(KILLS + 1):
        server = Server(starter, tmp_path)
        server.wait_until_ready()
        if turn:
            upgrader.check(server.port)
        else:
            upgrader.found(server.port)
        thread = threading.Thread(target=upgrader.upgrade_until_dead, args=(server.port,))
        thread.start()
        time.sleep(rng.uniform(0, LONGEST_RUN))
        server.kill()
        thread.join()
        assert upgrader.refused is None
    seen = upgrader.seen
    assert all(seen[what] for what in ("answered", "made", "not made")), dict(seen)
