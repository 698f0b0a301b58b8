"""Bodies nested too deeply are refused; brackets in texts are no nesting."""

from __future__ import annotations

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.nesting import MAX_NESTING
from palimpsest.app.work.depth import check_depth


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"1" + b"]}" * (depth // 2)


def test_the_limit_itself_passes() -> None:
    check_depth(nested(8), 8)
    with pytest.raises(Refusal, match="at most 8 objects and lists") as refused:
        check_depth(nested(10), 8)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "' + b"[{" * 100 + b'"}',
        b"[" + b"[1]," * 100 + b"[1]]",
        b"[" * 100,  # no JSON: its decoder says so
        b"",
        nested(MAX_NESTING * 2),
    ],
)
def test_what_is_not_nested_deeply_or_is_told_elsewhere(body: bytes) -> None:
    check_depth(body, MAX_NESTING if body.startswith(b'{"a"') else 8)


def test_what_no_reader_could_follow() -> None:
    with pytest.raises(Refusal):
        check_depth(nested(100_000), 8)
