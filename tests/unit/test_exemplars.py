"""Buckets name the last trace that fell into them; a trace is what W3C says one is."""

from __future__ import annotations

import pytest

from palimpsest.app.exemplars import Exemplary, sampled_trace

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"00-{TRACE}-{PARENT}-01", TRACE),
        (f"00-{TRACE}-{PARENT}-03", TRACE),  # other flags are of later versions
        (f"00-{TRACE}-{PARENT}-00", None),  # not sampled
        (f"cc-{TRACE}-{PARENT}-01", TRACE),
        (f"cc-{TRACE}-{PARENT}-01-more", TRACE),
        (f"cc-{TRACE}-{PARENT}-01.more", None),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE[:-1]}g-{PARENT}-01", None),
        (f"00-{TRACE}{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}-1", None),
        (f"0-{TRACE}-{PARENT}-001", None),
        ('00-"}x{-' + PARENT + "-01", None),
        ("", None),
        ("\xff" * 55, None),
    ],
)
def test_what_is_a_sampled_trace(value: str, expected: str | None) -> None:
    headers = [(b"host", b"x"), (b"traceparent", value.encode("latin-1"))]
    assert sampled_trace(headers) == expected


def test_no_header_is_no_trace() -> None:
    assert sampled_trace([(b"tracestate", b"a=b")]) is None


def test_a_bucket_keeps_its_last_example() -> None:
    tally = Exemplary((0.1, 1.0))
    for value, trace in ((0.05, "a"), (0.06, "b"), (0.1, "c"), (9.0, "d")):
        tally.note(value, trace)
    told = {place: example.labels["trace_id"] for place, example in tally.examples.items()}
    assert told == {0: "c", 2: "d"}
    assert tally.count == 0  # naming is not counting
