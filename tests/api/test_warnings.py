"""Warnings of a reply: collected, written beside the result, counted by kind."""

from __future__ import annotations

from msgspec import json

from palimpsest.app.envelope import Explained, success
from palimpsest.app.warnings import MAX_TEXTS, Warnings


def test_a_reply_without_warnings_has_no_such_field() -> None:
    body = json.decode(success(1, 0.0, Warnings()))
    assert body.keys() == {"result", "status", "time"}


def test_each_text_stands_once_in_the_order_found() -> None:
    warnings = Warnings()
    assert not warnings
    for kind, text in (("setting", "b"), ("unknown_field", "a"), ("setting", "b")):
        warnings.add(kind, text)  # type: ignore[arg-type]
    assert warnings
    assert warnings.texts() == ["b", "a"]
    assert warnings.kinds() == ["setting", "unknown_field"]
    body = json.decode(success(Explained([], {"x": 1}), 0.0, warnings))
    assert body["warnings"] == ["b", "a"]
    assert body["explain"] == {"x": 1}
    assert body["result"] == []


def test_very_many_are_cut() -> None:
    warnings = Warnings()
    for number in range(MAX_TEXTS + 5):
        warnings.add("unknown_field", str(number))
    assert warnings.texts()[-2:] == [str(MAX_TEXTS - 1), "... and 5 more"]
    assert len(warnings.kinds()) == MAX_TEXTS + 5
