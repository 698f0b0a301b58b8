"""``palimpsest snapshot``: which calls of Qdrant's contract it makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palimpsest.app.cli import main
from tests.api.served import serving
from tests.unit.transfer.scripted import Answer, Scripted, scripted

MADE = {"name": "docs-1.snapshot", "size": 12_345, "creation_time": "2026-01-01T00:00:00"}


def run(server: Scripted, *words: str) -> int:
    return main(["snapshot", *words, "--url", server.url])


def test_a_life_beside_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    rows, one, copy = (str(tmp_path / name) for name in ("a.jsonl", "one", "b.jsonl"))
    Path(rows).write_text('{"id":1,"vector":[1.5,2],"payload":{"ключ":1}}\n')
    with serving(tmp_path / "data") as server:
        monkeypatch.setenv("PALIMPSEST_URL", server.url)

        def done(*words: str) -> str:
            assert main([*words]) == 0, words
            return capfd.readouterr().out

        done("import", rows, "-c", "docs", "--create", "--distance", "Dot")
        name = done("snapshot", "create", "-c", "docs").split()[0]
        assert name in done("snapshot", "list", "-c", "docs")
        done("snapshot", "download", name, one, "-c", "docs")
        done("collections", "delete", "docs", "--yes")
        done("snapshot", "upload", one, "-c", "docs", "--yes")
        done("collections", "info", "docs")
        done("snapshot", "restore", name, "-c", "docs", "--yes")
        done("export", "docs", copy)
        assert Path(copy).read_text() == Path(rows).read_text()
        done("snapshot", "delete", name, "-c", "docs", "--yes")
        whole = done("snapshot", "create").split()[0]
        assert whole in done("snapshot", "list")
        done("snapshot", "delete", whole, "--yes")
        assert done("snapshot", "list") == "no snapshots\n"


def test_of_a_collection_and_of_all(capfd: pytest.CaptureFixture[str]) -> None:
    with scripted([Answer(body=MADE), Answer(body=[MADE]), Answer(body=[]), Answer()]) as server:
        assert run(server, "create", "-c", "цвет") == 0
        assert run(server, "list", "-c", "docs") == 0
        assert run(server, "list") == 0
        assert run(server, "delete", "a b", "--yes") == 0
        assert run(server, "delete", "s", "-c", "docs", "--yes") == 0
    assert [(one.method, one.path) for one in server.got] == [
        ("POST", "/collections/%D1%86%D0%B2%D0%B5%D1%82/snapshots?wait=true"),
        ("GET", "/collections/docs/snapshots"),
        ("GET", "/snapshots"),
        ("DELETE", "/snapshots/a%20b?wait=true"),
        ("DELETE", "/collections/docs/snapshots/s?wait=true"),
    ]
    assert capfd.readouterr().out.splitlines() == [
        "docs-1.snapshot  12.3 kB",
        "docs-1.snapshot  12.3 kB  2026-01-01T00:00:00",
        "no snapshots",
        "deleted a b",
        "deleted s",
    ]


def test_restoring_by_name_and_by_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.snapshot"
    file.write_bytes(b"\x00held")
    with scripted([Answer()]) as server:
        assert run(server, "restore", "s", "-c", "docs", "--yes") == 0
        assert run(server, "restore", "s", "-c", "docs", "--checksum", "ab", "--yes") == 0
        assert run(server, "upload", str(file), "-c", "docs", "--yes") == 0
        assert run(server, "upload", str(tmp_path / "no"), "-c", "docs", "--yes") == 2
    first, second, third = server.got
    assert (first.method, first.path) == ("PUT", "/collections/docs/snapshots/recover?wait=true")
    assert json.loads(first.body) == {"location": "s", "priority": "snapshot"}
    assert json.loads(second.body)["checksum"] == "ab"
    assert third.path == "/collections/docs/snapshots/upload?wait=true&priority=snapshot"
    assert b'name="snapshot"' in third.body and b"\x00held" in third.body
    assert capfd.readouterr().out == "restored docs\n" * 3


def test_a_file_is_fetched_whole_or_not_at_all(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytes(range(256)) * 9_000
    with scripted([Answer(body=content), Answer(404, "none")]) as server:
        assert run(server, "download", "s", str(tmp_path / "a"), "-c", "docs") == 0
        assert run(server, "download", "s", str(tmp_path / "a"), "-c", "docs") == 2
        assert run(server, "download", "s", str(tmp_path / "b")) == 1
    assert (tmp_path / "a").read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
    printed = capfd.readouterr()
    assert "2.3 MB" in printed.out and "exists" in printed.err and "404: none" in printed.err
    assert [one.path for one in server.got] == ["/collections/docs/snapshots/s", "/snapshots/s"]
