"""Bodies about vectors: one or many by what they hold, and earlier declarations stay readable."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from palimpsest.app.schemas.spaces import (
    STORED,
    Quantization,
    ScalarQuantization,
    SparseNameBody,
    VectorBody,
    VectorName,
    Vectors,
)

VECTORS: TypeAdapter[Any] = TypeAdapter(Vectors)
QUANTIZATION: TypeAdapter[Any] = TypeAdapter(Quantization)
NAME: TypeAdapter[Any] = TypeAdapter(VectorName)
ONE = {"size": 2, "distance": "Dot"}


def test_one_vector_or_many() -> None:
    assert VECTORS.validate_python(ONE) == VectorBody(**ONE)
    named = VECTORS.validate_python({"é": ONE, "": ONE})
    assert list(named) == ["é", ""]
    assert list(VECTORS.validate_python({"size": ONE})) == ["size"]  # a name as any other
    assert VECTORS.validate_python({}) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0, "distance": "Dot"},
        {"size": 2},
        {"size": 2.0, "distance": "Dot"},
        {"size": True, "distance": "Dot"},
        {"size": 2, "distance": "dot"},
        {"size": 2, "distance": "Dot", "colour": 1},
    ],
)
def test_what_is_no_vector(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VECTORS.validate_python(wrong)


def test_one_kind_of_quantization() -> None:
    scalar = {"scalar": {"type": "int8"}}
    assert isinstance(QUANTIZATION.validate_python(scalar), ScalarQuantization)
    for wrong in ({}, {**scalar, "binary": {}}, {"quaternary": {}}, [], None):
        with pytest.raises(ValidationError, match="expected an object with"):
            QUANTIZATION.validate_python(wrong)


def test_one_kind_of_name() -> None:
    assert NAME.validate_python({"sparse": {}}).sparse.modifier is None
    for wrong in ({}, {"sparse": {}, "dense": ONE}):
        with pytest.raises(ValidationError, match="`dense` or `sparse`"):
            NAME.validate_python(wrong)


def test_what_earlier_releases_took_is_read_as_stored_alone() -> None:
    declared = {"datatype": "turbo4"}
    with pytest.raises(ValidationError, match="kept as float32, float16 or uint8"):
        SparseNameBody.model_validate(declared)
    assert SparseNameBody.model_validate(declared, context=STORED).datatype == "turbo4"
