"""Targets: ids, base64 and vectors told apart by their text."""

from __future__ import annotations

import base64
from uuid import UUID

import numpy as np
import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.targets import to_target
from palimpsest.index import InvalidInput, SparseVector

POINT = UUID("936da01f-9abd-4d9d-80c7-02af85c822a8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"0", 0),
        (b"18446744073709551615", 2**64 - 1),
        (b'"936da01f-9abd-4d9d-80c7-02af85c822a8"', POINT),
        (b'"936DA01F9ABD4D9D80C702AF85C822A8"', POINT),  # base64 as well
        (b'"urn:uuid:936da01f-9abd-4d9d-80c7-02af85c822a8"', POINT),
    ],
)
def test_ids(text: bytes, expected: int | UUID) -> None:
    assert to_target(text) == expected


def test_base64_is_a_vector_bit_by_bit() -> None:
    vector = np.array([0.1, -0.0, 1e-45], "<f4")
    found = to_target(b'"%b"' % base64.b64encode(vector.tobytes()))
    assert isinstance(found, np.ndarray)
    assert found.tobytes() == vector.tobytes()


def test_a_sparse_vector_may_have_nothing_in_it() -> None:
    found = to_target(b'{"indices": [], "values": []}')
    assert isinstance(found, SparseVector)
    assert len(found.indices) == 0


@pytest.mark.parametrize(
    "text",
    [
        b"null",
        b"",
        b"1.5",
        b"true",
        '"clé"'.encode(),
        b'{"indices": [1]}',
        b'{"text": "a", "model": "m"}',
        b"18446744073709551616",
        b"-1",
    ],
)
def test_what_is_no_target(text: bytes) -> None:
    with pytest.raises((Refusal, InvalidInput)):
        to_target(text, "query.nearest")
