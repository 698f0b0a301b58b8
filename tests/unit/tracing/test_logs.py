"""Lines of the log, for people and for machines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest

from palimpsest.app.tracing.logs import FIELDS, JsonFormatter, TextFormatter
from palimpsest.app.tracing.trace import CURRENT, Trace

PARENT = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


@pytest.fixture
def request_one() -> Iterator[None]:
    token = CURRENT.set(Trace([(b"x-request-id", b"r-1"), PARENT], 0.0))
    yield
    CURRENT.reset(token)


def record(text: str, *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("palimpsest", logging.ERROR, "a.py", 1, text, arguments, None)
    made.__dict__.update(more)
    return made


def line(made: logging.LogRecord) -> dict[str, object]:
    text = JsonFormatter().format(made)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_a_json_line_says_when_how_bad_who_and_what() -> None:
    told = line(record("%s failed:\n%d", "it", 3))
    assert datetime.fromisoformat(str(told.pop("time"))).utcoffset() is not None
    assert told == {"level": "ERROR", "logger": "palimpsest", "message": "it failed:\n3"}


@pytest.mark.usefixtures("request_one")
def test_lines_say_for_which_request_they_were_written() -> None:
    told = line(record("failed"))
    assert told["request_id"] == "r-1"
    assert told["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert TextFormatter().format(record("failed")).endswith("palimpsest: failed [request r-1]")


def test_lines_that_are_of_no_request_say_none() -> None:
    assert "request_id" not in line(record("opened"))
    assert TextFormatter().format(record("opened")).endswith("ERROR palimpsest: opened")


def test_a_name_begins_no_line_of_its_own() -> None:
    made = record("%s is damaged", "data/a\n2026-01-01 ERROR palimpsest: forged\x1b[2J")
    told = TextFormatter().format(made)
    assert told.endswith("data/a\\n2026-01-01 ERROR palimpsest: forged\\x1b[2J is damaged")
    assert told.isprintable()


def test_an_exception_stands_in_the_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        told = line(record("failed", exc_info=sys.exc_info()))
    assert "ValueError: two\nlines" in str(told["exception"])


def test_fields_stand_beside_the_text() -> None:
    assert line(record("slow", **{FIELDS: {"seconds": 0.5}}))["seconds"] == 0.5


def test_names_that_are_no_text_do_not_lose_the_line() -> None:
    told = line(record("%s is damaged", "\udcff.idx", **{FIELDS: {"collection": "a\udcff"}}))
    assert told["message"] == "\\udcff.idx is damaged"
    assert told["collection"] == "a\\udcff"
