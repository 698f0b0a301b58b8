"""All checks of one collection: what is told of it, in whose name, and how bad it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.checks.collection import examine
from palimpsest.index.checks.findings import Finding
from tests.damage import flip
from tests.unit.doctor.making import copied


class Told:
    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.nbytes = 0

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)

    def read(self, nbytes: int) -> None:
        self.nbytes += nbytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(tmp_path / "data", "имя", sealed=1_000, staged=4)


@pytest.mark.parametrize("in_use", [False, True])
def test_a_whole_collection_is_told_by_its_numbers(folder: Path, in_use: bool) -> None:
    told = Told()
    examined = examine(folder, told, in_use=in_use)
    assert (examined.name, examined.points, examined.segments) == ("имя", 1_002, 2)
    assert examined.staged_rows > 0 and examined.status in ("ok", "note")
    assert {one.severity for one in told.findings} <= {"note"}
    assert {one.collection for one in told.findings} <= {"имя"}
    assert examined.bytes_read == told.nbytes > 100_000
    assert set(examined.to_json()) >= {"name", "status", "points", "lost_found"}


def test_the_worst_finding_is_the_status(folder: Path) -> None:
    (segment, *_) = (folder / "segments").iterdir()
    flip(segment / "by_slot.npy", 8 * 200)
    assert examine(folder, Told(), in_use=False).status == "damage"
    flip(segment / "ids.npy", 8 * 200)
    assert examine(folder, Told(), in_use=False).status == "lost"


def test_a_collection_whose_store_is_gone_is_lost_and_a_stranger_is_not(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "store.sqlite3").unlink()
    told = Told()
    assert examine(folder, told, in_use=False).status == "lost"
    assert told.findings[0].what == "the store of a collection"
    stranger = tmp_path / "file"
    stranger.write_text("x")
    told = Told()
    examined = examine(stranger, told, in_use=False)
    assert (examined.status, examined.points, examined.format) == ("damage", None, None)
    assert "is no collection" in told.findings[0].what
