"""The command as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from palimpsest.app.cli import main
from palimpsest.app.release import RELEASE


@pytest.mark.parametrize("words", [["--version"], ["serve", "--version"]])
def test_version_is_that_of_the_release(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 0
    assert capsys.readouterr().out == f"palimpsest {RELEASE}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for command in "serve doctor restore import export collections snapshot demo".split():
        assert f"\n    {command} " in shown
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0
        assert f"usage: palimpsest {command} " in capsys.readouterr().out


def test_commands_over_http_load_neither_the_server_nor_the_engine() -> None:
    heavy = "{'palimpsest.index', 'fastapi', 'uvicorn', 'palimpsest.app.edge'}"
    calls = "\n".join(
        f"main([*{words.split()}, '--url', 'http://127.0.0.1:9'])"
        for words in (
            "import a.npy -c a",
            "export a a.parquet",
            "collections list",
            "snapshot list",
        )
    )
    script = (
        "import sys\nfrom palimpsest.app.cli import main\n"
        f"{calls}\nprint({heavy} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
    assert done.stderr.count("palimpsest: ") == 4
