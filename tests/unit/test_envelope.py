"""The shell of replies: valid JSON around any result, larger only where there is more to say."""

from __future__ import annotations

import json
from time import perf_counter

import msgspec

from palimpsest.app.envelope import Explained, failure, success
from palimpsest.app.warnings import Warnings


def test_a_plain_result() -> None:
    result = {"é": [2**64 - 1, msgspec.Raw(b'{"n": 9007199254740993}')]}
    read = json.loads(success(result, perf_counter(), Warnings()))
    assert read.keys() == {"result", "status", "time"}
    assert read["result"] == {"é": [2**64 - 1, {"n": 2**53 + 1}]}
    assert (read["status"], 0 <= read["time"] < 60) == ("ok", True)


def test_what_is_explained_and_warned_of_stands_beside_the_result() -> None:
    warnings = Warnings()
    warnings.add("setting", 'a "quoted" text')
    read = json.loads(success(Explained([1], {"visited": 3}), perf_counter(), warnings))
    assert read["result"] == [1]
    assert read["explain"] == {"visited": 3}
    assert read["warnings"] == ['a "quoted" text']
    alone = json.loads(success(Explained(None, {}), perf_counter(), Warnings()))
    assert "warnings" not in alone
    assert alone["result"] is None


def test_a_failure_quotes_what_it_says() -> None:
    text = 'Wrong input: "\u2028\\ \x00'
    assert json.loads(failure(text, perf_counter()))["status"] == {"error": text}
