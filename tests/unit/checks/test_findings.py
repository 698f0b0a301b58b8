"""What a check finds: how bad it is, in whose words its remedy is told, that nothing escapes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from palimpsest.index.checks.findings import (
    SEVERITIES,
    Finding,
    finding_of,
    severity_of,
    telling,
    worst,
)
from palimpsest.index.errors import Damaged, DamagedPoint, DiskFailed, UnknownFormat
from palimpsest.index.remedies import Act

FILE = Path("/data/ж.npy")


class Told:
    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def found(self, finding: Finding) -> None:
        self.findings.append(finding)

    def read(self, nbytes: int) -> None:
        raise AssertionError("nothing was read")


def test_the_worst_of_some() -> None:
    assert worst("note", "lost", "ok") == "lost" and worst("unchecked", "note") == "unchecked"
    assert [worst("ok", one) for one in SEVERITIES] == list(SEVERITIES)


def test_a_finding_is_told_in_words_and_as_json() -> None:
    full = Finding("damage", "files", FILE, "length", "9007199254740993", "2", Act.REMAKE, "имя")
    assert full.told(lambda _: "do it").endswith(
        "ж.npy: length: expected 9007199254740993, found 2; do it"
    )
    bare = Finding("note", "orphans", FILE, "is not of the collection")
    assert str(bare) == "/data/ж.npy: is not of the collection"
    for one in (full, bare):
        said = json.loads(json.dumps(one.to_json(lambda _: "do it")))
        assert said.keys() == full.to_json().keys() and said["file"] == str(FILE)
    assert full.to_json(lambda _: "do it")["remedy"] == "do it" and bare.to_json()["remedy"] is None


def test_errors_of_the_engine_are_findings_of_their_file() -> None:
    damaged = finding_of(Damaged(FILE, 1, 2, "checksum"), "files", Path("/other"))
    assert (damaged.severity, damaged.file) == ("lost", FILE)
    assert damaged.what == "checksum expected 1, found 2"
    assert damaged.remedy == "restore the file from a backup"
    point = finding_of(DamagedPoint(FILE, 2**53 + 1, "has no row"), "points", FILE, "damage")
    assert (point.severity, point.what) == ("damage", f"point {2**53 + 1} has no row")
    newer = finding_of(UnknownFormat(FILE, 99, 7), "store", Path("/other"))
    assert (newer.severity, newer.file) == ("unchecked", FILE)
    assert severity_of(DiskFailed("x")) == "unchecked"


@pytest.mark.parametrize(
    ("error", "severity", "said"),
    [
        (Damaged(FILE, 1, 2, "length"), "damage", "length expected 1"),
        (PermissionError(13, "Permission denied", str(FILE)), "unchecked", "Permission denied"),
        (sqlite3.DatabaseError("malformed"), "damage", "SQLite cannot read it: malformed"),
        (ValueError("ж"), "damage", "not as they were written: ValueError('ж')"),
        (RecursionError(), "damage", "RecursionError"),
    ],
)
def test_whatever_goes_wrong_is_told_once(error: Exception, severity: str, said: str) -> None:
    told = Told()
    with telling(told, "files", FILE, "damage"):
        raise error
    (finding,) = told.findings
    assert finding.severity == severity and finding.file == FILE
    assert said in finding.what


def test_what_is_no_fault_of_the_contents_goes_on() -> None:
    told = Told()
    with pytest.raises(KeyboardInterrupt), telling(told, "files", FILE):
        raise KeyboardInterrupt
    assert told.findings == []
