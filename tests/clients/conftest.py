"""A server for this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.served import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("clients"))
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0
    finally:
        running.process.kill()
        running.process.wait()
