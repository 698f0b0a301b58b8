"""Ids in bodies."""

from __future__ import annotations

import msgspec
import pytest

from palimpsest.app.schemas.ids import parse_id, parse_path_id
from palimpsest.index import (
    InvalidId,
)

HYPHENATED = "936da01f-9abd-4d9d-80c7-02af85c822a8"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (0, b"0"),
        (2**64 - 1, b"18446744073709551615"),
        (HYPHENATED, b'"%s"' % HYPHENATED.encode()),
        (HYPHENATED.upper(), b'"%s"' % HYPHENATED.encode()),
        (HYPHENATED.replace("-", ""), b'"%s"' % HYPHENATED.encode()),
        (f"urn:uuid:{HYPHENATED}", b'"%s"' % HYPHENATED.encode()),
        (f"URN:UUID:{HYPHENATED.upper()}", b'"%s"' % HYPHENATED.encode()),
        ("{" + HYPHENATED + "}", b'"%s"' % HYPHENATED.encode()),
    ],
)
def test_ids_are_read_and_written(raw: int | str, expected: bytes) -> None:
    assert msgspec.json.encode(parse_id(raw)) == expected
    assert parse_path_id(str(raw)) == parse_id(raw)


@pytest.mark.parametrize(
    "raw",
    [
        -1,
        2**64,
        "",
        "7",
        "abc",
        "{" + HYPHENATED,
        HYPHENATED[:-1],
        HYPHENATED.replace("-", "_"),
        "9_6da01f9abd4d9d80c702af85c822a8a",
        HYPHENATED + "\n",
    ],
)
def test_other_ids_are_refused(raw: int | str) -> None:
    with pytest.raises(InvalidId):
        parse_id(raw)
