"""What the words of an import ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from palimpsest.app.cli import main
from palimpsest.app.commands.moving import import_of
from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.importing import Import
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.sources import Reading
from tests.unit.transfer.scripted import Answer, scripted

GIVEN: dict[str, Any] = {
    "sources": ["a.parquet"],
    "collection": "docs",
    "create": True,
    "distance": "l2",
    "id": "key",
    "vector": ["e=v"],
    "payload": ["t,u"],
    "payload_json": None,
    "ids": None,
    "payloads": None,
    "first_id": 5,
    "source_api_key_file": None,
    "ca": Path("/ca"),
    "skip_bad": Path("bad"),
    "state": None,
    "restart": False,
    "connections": 2,
}


def test_words_become_values() -> None:
    wished = Wished("key", ("e=v",), ("t,u",))
    assert import_of(GIVEN, {"PALIMPSEST_SOURCE_API_KEY": "k"}) == Import(
        ("a.parquet",),
        "docs",
        Reading(wished, key="k", ca=Path("/ca")),
        create=True,
        distance="Euclid",
        first_id=5,
        skip=Path("bad"),
        connections=2,
    )
    with pytest.raises(WrongUse, match="it needs --create"):
        import_of({**GIVEN, "create": False}, {})


def test_what_was_done_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path, bad = tmp_path / "a.jsonl", tmp_path / "bad.jsonl"
    path.write_text('{"id":1,"vector":[1,2]}\n{\n')
    config = {"config": {"params": {"vectors": {"size": 2, "distance": "Dot"}}}}
    answers = [Answer(body=config), Answer(), Answer(429, "full", {"retry-after": "0"}), Answer()]
    with scripted(answers[:1] + answers[2:]) as server:
        words = ["import", str(path), "-c", "docs", "--url", server.url, "--skip-bad", str(bad)]
        assert main(words) == 0
    printed = capfd.readouterr()
    assert printed.out.startswith("docs: 1 points in ") and "1 rows are no points" in printed.out
    assert printed.err == ""
    assert [one.method for one in server.got] == ["GET", "PUT", "PUT"]
    with scripted([Answer(body=config), Answer()]) as server:
        assert main([*words[:-2], "--url", server.url]) == 1
    assert f"{path}, line 2: " in capfd.readouterr().err
    bad.unlink()
    with scripted([Answer(body=config), Answer()]) as server:
        assert main([*words, "--url", server.url, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["points"], told["skipped"], told["collection"]) == (1, 1, "docs")
