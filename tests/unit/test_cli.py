"""The command as a whole."""

from __future__ import annotations

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
