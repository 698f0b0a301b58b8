"""Bars are drawn where someone may look, and nowhere else."""

from __future__ import annotations

import sys

import pytest

from palimpsest.app.transfer.progress import bar, bytes_bar


def test_no_terminal_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    shown = bar("docs", 10, 3)
    shown.update(7)
    shown.close()
    with bytes_bar("file", None) as of_bytes:
        of_bytes.update(5)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = bar("docs", 10, 3)
    shown.update(7)
    shown.close()
    printed = capsys.readouterr()
    assert "docs: 100%" in printed.err and "10/10" in printed.err and printed.out == ""
