"""Snapshots of earlier releases are restored, and answer as they did."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from palimpsest.index import Database
from palimpsest.index.snapshots.manifest import FORMAT
from palimpsest.index.snapshots.proving import OLDEST
from palimpsest.index.storage.schema import FORMAT as STORE_FORMAT
from tests.formats import expected
from tests.formats.expected import NAME
from tests.formats.write_snapshot import EXPECTED, SNAPSHOT

FILES = sorted(Path(__file__).parent.glob("snapshot_*.zip"))


def test_each_format_has_a_file() -> None:
    of_stores = {path.stem.rpartition("_")[2] for path in FILES}
    assert of_stores == {str(n) for n in range(OLDEST, STORE_FORMAT + 1)}
    of_snapshots = {path.stem.split("_")[1] for path in FILES}
    assert of_snapshots == {str(n) for n in range(1, FORMAT + 1)}


@pytest.mark.parametrize("file", FILES, ids=[path.stem for path in FILES])
def test_it_is_restored_and_answers_as_it_did(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    stored = json.loads((tmp_path / EXPECTED).read_text())
    with Database.open(tmp_path / "data", threads=1) as database:
        for name in (NAME, "another"):
            database.snapshots.recover(name, tmp_path / SNAPSHOT)
            collection = database.get(name)
            found = expected.describe(collection) | expected.describe_versions(collection)
            # an adapter may be fitted again, and what is to be embedded next follows searches
            for key in stored.keys() - {"adapters", "backfill"}:
                require_alike(found[key], stored[key], key)


def require_alike(found: Any, stored: Any, where: str) -> None:
    """Require the same, numbers as other machines compute them."""
    if isinstance(stored, dict):
        assert found.keys() == stored.keys(), where
        for key, value in stored.items():
            require_alike(found[key], value, f"{where}.{key}")
    elif isinstance(stored, list):
        assert len(found) == len(stored), where
        for one, other in zip(found, stored, strict=True):
            require_alike(one, other, where)
    else:
        assert found == (pytest.approx(stored) if isinstance(stored, float) else stored), where
