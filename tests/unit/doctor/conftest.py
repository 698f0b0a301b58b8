"""A data directory of many kinds of collections, and a copy of it to each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.doctor.making import copy, make


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("doctor") / "data"
    make(data)
    return data


@pytest.fixture
def trial(data: Path, tmp_path: Path) -> Path:
    return copy(data, tmp_path / "trial")
