"""What requests are called, whatever they bring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app.tracing.ids import MAX_ID, Parent, new_id, parent, request_id

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def named(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"here"), *((b"x-request-id", value) for value in values)]


def sent(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"here"), *((b"traceparent", value.encode()) for value in values)]


@pytest.mark.parametrize(
    "value",
    [
        "1",
        "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77",
        "Root=1-67891233-abcdef012345678912345678",
        "a/b+c==",
        "x" * MAX_ID,
    ],
)
def test_sane_ids_are_taken(value: str) -> None:
    assert request_id(named(value.encode())) == value


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"x" * (MAX_ID + 1)],
        [b"a b"],
        [b"a\tb"],
        [b"a\nb"],
        [b'a"b'],
        [b"a%b"],
        ["ä".encode()],
        [b"\xff"],
        [b"a", b"a"],
    ],
)
def test_others_are_as_good_as_none(values: list[bytes]) -> None:
    assert request_id(named(*values)) is None


@given(st.binary(max_size=200))
def test_an_id_that_is_taken_can_stand_in_a_header_and_in_a_line(value: bytes) -> None:
    taken = request_id(named(value))
    if taken is not None:
        assert taken.encode() == value
        assert taken.isascii() and taken.isprintable() and " " not in taken


def test_made_ids_are_sane_and_all_different() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert request_id(named(made[0].encode())) == made[0]


@pytest.mark.parametrize(
    ("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("03", True)]
)
def test_a_parent_says_whether_its_trace_is_kept(flags: str, is_sampled: bool) -> None:
    assert parent(sent(f"00-{TRACE}-{SPAN}-{flags}")) == Parent(TRACE, SPAN, is_sampled)


def test_a_later_version_may_say_more() -> None:
    assert parent(sent(f"cc-{TRACE}-{SPAN}-01-what-comes")) == Parent(TRACE, SPAN, True)


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_parent_is_as_good_as_none(value: str) -> None:
    assert parent(sent(value)) is None


def test_two_parents_are_none() -> None:
    one = f"00-{TRACE}-{SPAN}-01"
    assert parent(sent(one, one)) is None
