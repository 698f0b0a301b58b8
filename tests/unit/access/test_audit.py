"""The audit log: whole lines, for its owner alone, and none of them lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app.access.audit import AuditLog, Entry, entry
from palimpsest.app.settings import Misconfigured


def line(name: str | None = "docs", request_id: str = "r-1") -> Entry:
    return entry(
        key="full-00000000",
        address="192.0.2.1",
        request_id=request_id,
        method="PUT",
        action="/collections/{collection_name}",
        collection=name,
        status=200,
    )


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_lines_are_appended_to_a_file_of_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.write(line())
    log.write(line(None))
    log.close()
    AuditLog(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each["collection"] for each in lines(path)] == ["docs", None]
    assert set(lines(path)[0]) == {
        *("time", "key", "address", "request_id", "method", "action", "collection", "status")
    }


def test_what_cannot_be_opened_is_an_error_at_start(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "audit.log", tmp_path):
        with pytest.raises(Misconfigured, match="PALIMPSEST_AUDIT_LOG"):
            AuditLog(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Misconfigured, match="PALIMPSEST_AUDIT_LOG"):
        AuditLog(tmp_path / "pipe")  # nobody reads it


def test_what_cannot_be_written_is_kept_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = AuditLog(tmp_path / "audit.log"), os.write
    left = 30

    def short(descriptor: int, text: bytes) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken, left = left, 0
        return write(descriptor, text[:taken])

    monkeypatch.setattr("palimpsest.app.access.audit.os.write", short)
    log.write(line("first"))
    log.write(line("second"))
    assert not log.is_writable()
    monkeypatch.setattr("palimpsest.app.access.audit.os.write", write)
    assert log.is_writable()
    assert [each["collection"] for each in lines(tmp_path / "audit.log")] == ["first", "second"]


def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.write(line("first"))
    path.rename(tmp_path / "old")
    log.write(line("second"))
    asyncio.run(log.reopen())
    log.write(line("third"))
    assert [each["collection"] for each in lines(tmp_path / "old")] == ["first", "second"]
    assert [each["collection"] for each in lines(path)] == ["third"]


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_a_line_is_one_line_of_bounded_length_whatever_a_client_sends(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.log"
    log = AuditLog(path)
    log.write(line(name))
    log.close()
    (written,) = lines(path)
    assert path.read_bytes().count(b"\n") == 1
    assert str(written["collection"]).isprintable()
    if name.isprintable():
        assert written["collection"] == name[:255]
    assert written["request_id"] == "r-1"


def test_what_is_lost_at_the_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    audit = AuditLog(tmp_path / "audit")
    monkeypatch.setattr("palimpsest.app.access.audit.os.write", full)
    audit.write(line())
    audit.close()
    assert "are lost" in caplog.text
