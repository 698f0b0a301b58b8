"""A server that can be stopped and started again on the same files."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.served import Server


class House:
    """One data folder, and the server that holds it open at this time."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.server = self._started()

    @property
    def url(self) -> str:
        return self.server.url

    def _started(self) -> Server:
        server = Server(self.data)
        try:
            server.wait_until_ready()
        except BaseException:
            server.process.kill()
            raise
        return server

    def reopen(self) -> None:
        """Kill the server and start one on the same files, at another URL."""
        self.server.stop(signal.SIGKILL)
        self.server = self._started()

    def close(self) -> None:
        assert self.server.stop() == 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    running = House(tmp_path_factory.mktemp("house"))
    yield running
    running.close()
