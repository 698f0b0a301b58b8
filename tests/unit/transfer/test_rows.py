"""Points as text: nothing that comes as text loses a digit."""

from __future__ import annotations

import base64
import json
from uuid import UUID

import numpy as np
import pytest

from palimpsest.app.transfer.rows import (
    Fault,
    Row,
    canonical_id,
    dense_text,
    named_text,
    object_text,
    point_row,
)

UUID_TEXT = "9b2f4c1e-7c38-4b6a-9d54-3f1d5a1e8b77"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (0, 0),
        (2**64 - 1, 2**64 - 1),
        ("18446744073709551615", 2**64 - 1),
        (UUID_TEXT, UUID_TEXT),
        (UUID_TEXT.upper(), UUID_TEXT),
        (f"urn:uuid:{UUID_TEXT}", UUID_TEXT),
        (UUID(UUID_TEXT).hex, UUID_TEXT),
        ("12345678901234567890123456789012", "12345678-9012-3456-7890-123456789012"),
    ],
)
def test_an_id_has_one_spelling(given: int | str, kept: int | str) -> None:
    item = point_row(3, given, b"[1]", b"")
    assert isinstance(item, Row)
    assert (item.id, json.loads(item.text)) == (kept, {"id": kept, "vector": [1]})
    assert canonical_id(given) == kept


@pytest.mark.parametrize(
    "given", [-1, 2**64, "", "a", "18446744073709551616", "1.0", "٣", "007", "00", "7\n"]
)
def test_what_is_no_id_is_a_fault(given: int | str) -> None:
    item = point_row(3, given, b"[1]", b"")
    assert (
        isinstance(item, Fault) and item.place == 3 and json.loads(item.text) == {"id": str(given)}
    )
    with pytest.raises(ValueError, match="Invalid point id"):
        canonical_id(given)


def test_payloads_go_on_as_they_are() -> None:
    payload = '{"ключ": 18446744073709551615, "x": 1.10, "x y.z": 1e400}'.encode()
    item = point_row(0, 1, b'{"a":[0.1]}', payload)
    assert item.text == b'{"id":1,"vector":{"a":[0.1]},"payload":' + payload + b"}"


def test_dense_vectors_are_base64_of_their_bytes() -> None:
    values = np.array([0.1, -2.5e-38, 3.4e38], dtype="<f4")
    text = json.loads(dense_text(values.data))
    assert base64.b64decode(text) == values.tobytes()


def test_a_lone_unnamed_vector_stands_bare() -> None:
    assert named_text({"": b"[1]"}) == b"[1]"
    assert named_text({}) == b"{}"
    assert json.loads(named_text({"": b"[1]", 'ü"': b"[2]"})) == {"": [1], 'ü"': [2]}
    assert object_text({"a": b"null"}) == b'{"a":null}'
