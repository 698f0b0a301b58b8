"""Golden collections, each in a data directory of its own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from palimpsest.index import Collection, Database
from tests.formats.expected import NAME

FILES = sorted(Path(__file__).parent.glob("collection_*.zip"))


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture
def stored(folder: Path) -> dict[str, Any]:
    """What the collection held and answered when it was written."""
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return found


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    with Database.open(folder, threads=1) as database:
        yield database


@pytest.fixture
def collection(database: Database) -> Collection:
    return database.get(NAME)
