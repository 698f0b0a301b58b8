"""Points as they are sent: payloads byte for byte, numbers as short as a float32 allows."""

from __future__ import annotations

import json

import msgspec
import numpy as np

from palimpsest.app.schemas.records import format_vectors, to_replies
from palimpsest.app.schemas.selectors import PayloadSelector
from palimpsest.index import Record, SparseVector

PAYLOAD = '{"é":  9007199254740993}'.encode()  # with a space that no encoder would write
ALL, NONE = PayloadSelector(True, default=True), PayloadSelector(False, default=True)


def test_what_nobody_asked_for_is_left_out() -> None:
    record = Record(2**64 - 1, 3, PAYLOAD, {"": np.zeros(2, np.float32)})
    (bare,) = to_replies([record], NONE, False)
    assert msgspec.json.encode(bare) == b'{"id":18446744073709551615}'
    (whole,) = to_replies([record], ALL, True)
    text = msgspec.json.encode(whole)
    assert PAYLOAD in text
    assert json.loads(text)["vector"] == [0.0, 0.0]


def test_an_unnamed_vector_beside_others_has_a_name() -> None:
    one, sparse = (
        np.array([0.1, -0.0], np.float32),
        SparseVector(np.array([7, 2**32 - 1], np.uint32), np.array([0.1, 2.0], np.float32)),
    )
    assert json.loads(bytes(format_vectors({"": one}))) == [0.1, 0.0]
    assert json.loads(bytes(format_vectors({"é": one}))) == {"é": [0.1, 0.0]}
    found = json.loads(bytes(format_vectors({"": one, "wörter": sparse})))
    assert found["wörter"] == {"indices": [7, 2**32 - 1], "values": [0.1, 2.0]}
    assert found[""] == [0.1, 0.0]


def test_no_vectors_are_an_empty_object() -> None:
    assert bytes(format_vectors({})) == bytes(format_vectors(None)) == b"{}"
