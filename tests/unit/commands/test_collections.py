"""``palimpsest collections``, beside a server in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from palimpsest.app.cli import main
from tests.api.served import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("served"), PALIMPSEST_API_KEY="k3y") as running:
        yield running


@pytest.fixture(autouse=True)
def _found(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_URL", server.url)
    monkeypatch.setenv("PALIMPSEST_API_KEY", "k3y")


def test_a_life(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["collections", "list"]) == 0
    assert main(["collections", "create", "цвет", "--size", "3", "--distance", "cosine"]) == 0
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"vectors": {"a": {"size": 2, "distance": "Dot"}}}))
    assert main(["collections", "create", "b", "--config", str(body)]) == 0
    assert main(["collections", "list"]) == 0
    assert main(["collections", "info", "b"]) == 0
    assert main(["collections", "delete", "b", "--yes"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "no collections",
        "created цвет",
        "created b",
        "b     0 points  green",
        "цвет  0 points  green",
        "b: green, 0 points, 0 vectors in segments",
        "  a: vectors of 2 dimensions",
        "deleted b",
    ]
    assert main(["collections", "info", "цвет", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["config"]["params"]["vectors"]["size"] == 3


def test_what_goes_wrong(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "body.json").write_text("[")
    for words, status, why in (
        (["delete", "no", "--yes"], 2, "there is no collection 'no'"),
        (["info", "no"], 1, "404"),
        (["create", "a"], 2, "expected --size and --distance, or --config"),
        (["create", "a", "--size", "3"], 2, "expected both"),
        (["create", "a", "--config", str(tmp_path / "body.json")], 2, "expected a JSON object"),
        (["create", "a", "--config", str(tmp_path / "no.json")], 2, "No such file"),
        (["create", "a", "--size", "70000", "--distance", "Dot"], 1, "422"),
    ):
        assert main(["collections", *words]) == status, words
        assert why in capfd.readouterr().err
    monkeypatch.setenv("PALIMPSEST_API_KEY", "other")
    assert main(["collections", "list"]) == 1
    assert "the key is read from" in capfd.readouterr().err
