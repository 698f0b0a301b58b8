"""What commands print."""

from __future__ import annotations

import json

import pytest

from palimpsest.app.commands.output import columns, in_bytes, show, tell


def test_words_for_people_json_for_programs(capfd: pytest.CaptureFixture[str]) -> None:
    show(["é", "b\udcff"], {"a": 1}, False)
    show([], {"é": 1}, True)
    tell("why")
    printed = capfd.readouterr()
    words, _, rest = printed.out.partition("{")
    assert words == "é\nb\\udcff\n" and json.loads("{" + rest) == {"é": 1}
    assert printed.err == "palimpsest: why\n"


def test_what_others_have_named_moves_no_cursor(capfd: pytest.CaptureFixture[str]) -> None:
    show(["a\x1b[2J", "b\nc"], {}, False)
    tell("row \x1b]0;title\x07")
    printed = capfd.readouterr()
    assert printed.out == "a\\x1b[2J\nb\\nc\n"
    assert printed.err == "palimpsest: row \\x1b]0;title\\x07\n"


def test_columns_stand_below_each_other() -> None:
    assert columns([["a", "1"], ["bcd", ""]]) == ["a    1", "bcd"]
    assert columns([]) == []


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_234, "1.2 kB"), (5 * 10**12, "5000.0 GB"), (None, "")],
)
def test_sizes(size: int | None, shown: str) -> None:
    assert in_bytes(size) == shown
