"""From words to an exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palimpsest.app.cli import main
from palimpsest.app.commands import collections
from palimpsest.app.commands.running import INTERRUPTED
from tests.unit.transfer.scripted import Answer, scripted

NOBODY = "http://127.0.0.1:9"  # the discard port


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collections", "delete", "a", "--yes", "--url", NOBODY]) == 3
    assert "DELETE http://127.0.0.1:9/collections/a: ConnectError" in capsys.readouterr().err


def test_what_is_refused_says_why_and_nothing_goes_to_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with scripted([Answer(403, "no rights")]) as server:
        assert main(["collections", "list", "--url", server.url, "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and "403: no rights (the key is read from" in printed.err


def test_what_destroys_is_not_done_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([Answer()]) as server:
        for words in (
            ["collections", "delete", "a"],
            ["snapshot", "restore", "s", "-c", "a"],
            ["snapshot", "upload", "/f", "-c", "a"],
            ["snapshot", "delete", "s"],
        ):
            assert main([*words, "--url", server.url]) == 2
    assert server.got == [] and "say --yes" in capsys.readouterr().err


def test_wrong_use_and_a_file_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collections", "list", "--url", "nowhere"]) == 2
    assert main(["import", "a", "-c", "b", "--distance", "Dot"]) == 2
    assert main(["import", "a", "-c", "b", "--create", "--distance", "Hamming"]) == 2
    file = tmp_path / "missing" / "a.snapshot"
    with scripted([Answer(body=b"snapshot")]) as server:
        words = ["snapshot", "download", "s", str(file), "--url", server.url]
        assert main(words) == 1
    assert "No such file" in capsys.readouterr().err


def test_an_interrupt_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(collections._ACTIONS, "list", interrupted)
    with scripted([Answer()]) as server:
        assert main(["collections", "list", "--url", server.url]) == INTERRUPTED
        monkeypatch.setattr("palimpsest.app.commands.moving.run_export", interrupted)
        words = ["export", "docs", "a.jsonl", "--url", server.url]
        assert main(words) == INTERRUPTED
    printed = capsys.readouterr().err
    assert "may have been done" in printed and "the same command goes on" in printed


def test_the_outcome_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    with scripted([Answer(body={"collections": []})]) as server:
        assert main(["collections", "list", "--url", server.url, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []
