"""A manifest says what it was told, and nothing that leads elsewhere is read from one."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from palimpsest.index import Damaged, UnknownFormat
from palimpsest.index.snapshots.manifest import FORMAT, STORE, Kept, Manifest, read_manifest

PATH = Path("x.snapshot")
FILES = (Kept(STORE, 7, 1), Kept("segments/ab-1/rows.npy", 1 << 40, 2), Kept("fields/c/d", 0, 0))
MANIFEST = Manifest("1.0", "é", 12, 7, 3, "00", {"vectors": {}}, FILES)


def changed(**fields: Any) -> bytes:
    """Return the manifest with other fields, under a right checksum."""
    said = json.loads(json.loads(MANIFEST.to_bytes())["snapshot"]) | fields
    text = json.dumps(said)
    return json.dumps({"crc32": zlib.crc32(text.encode()), "snapshot": text}).encode()


def test_it_is_read_as_it_was_written() -> None:
    assert read_manifest(MANIFEST.to_bytes(), PATH) == MANIFEST
    assert MANIFEST.folders() == {("segments", "ab-1"), ("fields", "c")}
    assert MANIFEST.nbytes == 7 + (1 << 40)


def test_every_changed_byte_is_found() -> None:
    text = MANIFEST.to_bytes()
    for place in range(len(text)):
        other = text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
        try:
            found = read_manifest(other, PATH)
        except Damaged:
            continue
        assert found == MANIFEST, place  # white space, or the case of a digit


@pytest.mark.parametrize(
    "place",
    [
        "/etc/passwd",
        "segments/../../x",
        "segments/a/..",
        "segments/a/.hidden",
        "segments/a/b/c",
        "segments/a",
        "other/a/b",
        "store.sqlite3-wal",
        "segments/a/b\0",
        "segments/a/b\n",
        "segments/é/b",
        f"segments/a/{'b' * 60}",
        STORE,  # twice
    ],
)
def test_names_lead_nowhere_else(place: str) -> None:
    with pytest.raises(Damaged):
        read_manifest(changed(files=[[STORE, 1, 1], [place, 1, 1]]), PATH)


@pytest.mark.parametrize(
    "fields",
    [
        {"files": []},
        {"files": [["segments/a/b", 1, 1]]},
        {"files": [[STORE, -1, 1]]},
        {"files": [[STORE, True, 1]]},
        {"files": [[STORE, 1.5, 1]]},
        {"files": [[STORE, 1 << 70, 1]]},
        {"files": 3},
        {"files": [STORE]},
        {"created": "now"},
        {"config": 3},
    ],
)
def test_what_makes_no_sense(fields: dict[str, Any]) -> None:
    with pytest.raises(Damaged):
        read_manifest(changed(**fields), PATH)


def test_a_newer_format_is_told() -> None:
    with pytest.raises(UnknownFormat):
        read_manifest(changed(format=FORMAT + 1), PATH)


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b'{"crc32": 1}', b"\xff", b"[" * 100_000])
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(Damaged):
        read_manifest(text, PATH)
