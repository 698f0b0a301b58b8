"""Whether a collection takes what a source holds."""

from __future__ import annotations

import pytest

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.shapes import (
    Dense,
    Sets,
    Sparse,
    declaration,
    read_distance,
    require_fit,
    shape_of,
)


def test_the_shape_of_a_collection_and_of_one_that_is_declared_for_it_are_one() -> None:
    for shape in (
        {"": Dense(3)},
        {"size": Dense(2), "цвет": Sets(4), "s": Sparse()},
        {"": Sets(5)},
        {"s": Sparse()},
    ):
        body = declaration(shape, "Dot")
        assert shape_of({"params": body}) == shape


def test_a_distance_is_needed_for_dense_vectors_alone() -> None:
    assert declaration({"s": Sparse()}, None) == {"vectors": {}, "sparse_vectors": {"s": {}}}
    with pytest.raises(WrongUse, match="--distance Cosine or Dot"):
        declaration({"": Dense(3)}, None)


def test_distances_have_other_names_in_libraries() -> None:
    assert [*map(read_distance, ("L2", "ip", "cosine", "Manhattan"))] == [
        "Euclid",
        "Dot",
        "Cosine",
        "Manhattan",
    ]
    with pytest.raises(WrongUse, match="got hamming"):
        read_distance("hamming")


def test_what_does_not_fit_says_both() -> None:
    require_fit({"a": Dense(2)}, {"a": Dense(2), "b": Sparse()}, "c")
    for shape in ({"": Dense(2)}, {"a": Dense(3)}, {"a": Sets(2)}, {"b": Dense(2)}):
        with pytest.raises(TransferError, match="expected vector 'a': vectors of 2 dimensions"):
            require_fit(shape, {"a": Dense(2), "b": Sparse()}, "c")
