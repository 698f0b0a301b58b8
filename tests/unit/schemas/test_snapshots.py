"""Snapshots are described, and asked for, as in Qdrant's API."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from palimpsest.app.schemas.snapshots import SnapshotRecover, described
from palimpsest.index import SnapshotInfo


def test_what_a_snapshot_is_told_as() -> None:
    assert described(SnapshotInfo("a.snapshot", 86_400.7, 3, None)) == {
        "name": "a.snapshot",
        "creation_time": "1970-01-02T00:00:00",
        "size": 3,
        "checksum": None,
    }


def test_a_checksum_is_one_in_either_case() -> None:
    assert SnapshotRecover(location="a", checksum="AB" * 32).checksum == "ab" * 32


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"location": ""},
        {"location": "a", "checksum": "ab"},
        {"location": "a", "checksum": "zz" * 32},
        {"location": "a", "priority": "first"},
        {"location": "a", "other": 1},
        {"location": 3},
    ],
)
def test_what_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SnapshotRecover(**given)
