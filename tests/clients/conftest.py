"""A server for this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.served import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("clients")) as running:
        yield running
