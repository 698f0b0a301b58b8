"""A stage that is set once, and folders in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.questions import Truth, ask, judge, learn
from tests.crash.reading import Client
from tests.crash.stage import Stage, set_stage
from tests.crash.starter import Starter
from tests.crash.trial import served


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return set_stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="session")
def truth(stage: Stage) -> Iterator[Truth]:
    """What a directory answers that nobody damaged."""
    starter = Starter()
    try:
        rest, killed = (copy_of(data) for data in (stage.rest, stage.killed))
        with served(starter, rest) as server:
            truth = learn(server.port, stage)
        with served(starter, killed) as server, Client(server.port, "") as client:
            for question in truth.questions:
                status, reply, _ = ask(client, question)
                assert judge(question, status, reply, truth) == "right"
        yield truth
    finally:
        starter.close()


def copy_of(data: Path) -> Path:
    return Path(shutil.copytree(data, data.with_name(f"twin-{data.name}")))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in memory where there is one: the process ends, the machine goes on."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)
