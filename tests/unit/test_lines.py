"""What others have named, in a line."""

from __future__ import annotations

import pytest

from palimpsest.app.lines import in_a_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("clé 漢字", "clé 漢字"),
        ("a\nb\r", "a\\nb\\r"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u2028\u202e", "\\u2028\\u202e"),
        ("\ud800", "\\ud800"),
    ],
)
def test_a_text_in_a_line(text: str, shown: str) -> None:
    assert in_a_line(text) == shown
