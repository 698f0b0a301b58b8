"""A server that was asked for everything, and a Prometheus that watched it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.api.served import Server, serving
from tests.monitoring.load import KEY, READ_KEY, Workload
from tests.monitoring.prometheus import Prometheus, watching

SCRAPES = 6  # under load


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with keys."""
    folder = tmp_path_factory.mktemp("watched")
    keys = {"PALIMPSEST_API_KEY": KEY, "PALIMPSEST_READ_ONLY_API_KEY": READ_KEY}
    with serving(folder, PALIMPSEST_WRITE_WAIT="0", **keys) as running:
        yield running


@pytest.fixture(scope="session")
def workload(server: Server) -> Iterator[Workload]:
    """What was asked of it: everything once."""
    with httpx.Client(base_url=server.url, headers={"api-key": KEY}, timeout=60) as http:
        made = Workload(http)
        made.begin()
        made.go_on()
        yield made


@pytest.fixture(scope="session")
def prometheus(
    server: Server, workload: Workload, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """A Prometheus that has scraped the server a few times while it was busy."""
    folder = tmp_path_factory.mktemp("prometheus")
    key = folder / "key"
    key.write_text(READ_KEY)
    with watching(server.port, key, folder) as running:
        until = time.monotonic() + 60
        while sum(running.values("count_over_time(up[1m])")) < SCRAPES:
            assert time.monotonic() < until
            workload.go_on()
            time.sleep(0.1)
        time.sleep(2)  # for rules
        yield running
