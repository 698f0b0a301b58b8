"""Our own headers: read whatever their case and spaces, and refused where they mean nothing."""

from __future__ import annotations

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.knobs import BRIDGE, EXPLAIN, PLAIN, Knobs, read_knobs


def test_what_is_not_said_is_plain() -> None:
    assert read_knobs([]) is PLAIN
    assert read_knobs([(b"x-other", b"x"), (b"palimpsest-bridge", b"off")]) is PLAIN


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([(BRIDGE, b" OFF ")], Knobs("off")),
        ([(BRIDGE, b"require"), (EXPLAIN, b"True")], Knobs("require", True)),
        ([(EXPLAIN, b"false"), (EXPLAIN, b"false")], Knobs()),
    ],
)
def test_values(given: list[tuple[bytes, bytes]], expected: Knobs) -> None:
    assert read_knobs(given) == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([(BRIDGE, b"")], "expected one of on, off, require, got ''"),
        ([(EXPLAIN, b"1")], "expected true or false"),
        ([(b"x-palimpsest-brigde", b"on")], "unknown header"),
        ([(BRIDGE, b"on"), (BRIDGE, b"off")], "given twice, as 'on' and 'off'"),
        ([(BRIDGE, b"\xff" * 10_000)], "expected one of"),
    ],
)
def test_what_means_nothing(given: list[tuple[bytes, bytes]], text: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_knobs(given)
    assert refused.value.status == 400
    assert text in refused.value.text
    assert len(refused.value.text) < 300
