"""What the commands over HTTP take."""

from __future__ import annotations

import argparse

import pytest

from palimpsest.app.cli import main
from palimpsest.app.commands.arguments import add_arguments


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(words[0], parser)
    return parser.parse_args(words[1:])


def test_an_import_is_read_whole() -> None:
    told = parsed("import", "a", "-", "-c", "docs", "--vector", "e=v", "--vector", "w", "--json")
    assert (told.sources, told.collection, told.vector) == (["a", "-"], "docs", ["e=v", "w"])
    assert (told.first_id, told.connections, told.json, told.skip_bad) == (0, 4, True, None)


@pytest.mark.parametrize(
    "words",
    [
        ["import", "a"],
        ["import", "-c", "docs"],
        ["import", "a", "-c", "docs", "--first-id", "-1"],
        ["import", "a", "-c", "docs", "--connections", "0"],
        ["import", "a", "-c", "docs", "--api-key", "s3cret"],
        ["export", "docs"],
        ["collections"],
        ["snapshot", "restore", "name"],
    ],
)
def test_wrong_use_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "s3cret" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["import", "export", "collections", "snapshot"])
def test_each_says_its_exit_statuses(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [command] if command in ("import", "export") else [command, "list"]
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0 and "Exit status: 0 done" in capsys.readouterr().out
