"""A server that was asked for everything, and a Prometheus that watched it meanwhile."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.served import Server, serving
from tests.monitoring.load import KEY, READ_KEY, Workload
from tests.monitoring.prometheus import Prometheus, checking_rules, watching

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


class Checked:
    """What the tool of Prometheus says of the cases of rules."""

    def __init__(self, folder: Path, running: dict[Path, subprocess.Popen[bytes]]) -> None:
        self._folder, self._running = folder, running

    def outcome(self, file: Path) -> tuple[int, str]:
        """Return the exit status for a file of cases, and what was said."""
        status = self._running[file].wait(300)
        return status, (self._folder / file.name).read_text()


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    """The cases of rules, which are checked while a Prometheus waits for its first scrape."""
    folder = tmp_path_factory.mktemp("checked")
    with checking_rules(folder) as running:
        yield Checked(folder, running)


@pytest.fixture(scope="session")
def prometheus(
    server: Server,
    workload: Workload,
    checked: Checked,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    """A Prometheus that has scraped the server a few times while it was busy.

    It looks for what to scrape every five seconds, and no sooner at the first time.
    """
    folder = tmp_path_factory.mktemp("prometheus")
    key = folder / "key"
    key.write_text(READ_KEY)
    with watching(server.port, key, folder) as running:
        until = time.monotonic() + 60
        while sum(running.values("count_over_time(up[1m])")) < SCRAPES:
            assert time.monotonic() < until
            workload.go_on()
            time.sleep(0.05)
        while any(rule["evaluationTime"] == 0 for rule in running.rules()):
            assert time.monotonic() < until
            time.sleep(0.05)
        yield running
