"""How deep bodies may be."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.schemas.nesting import is_deeper


@pytest.mark.parametrize(
    ("value", "depth"), [(1, 0), ({}, 1), ([[]], 2), ({"a": [{"b": 1}], "c": 1}, 3)]
)
def test_depth(value: Any, depth: int) -> None:
    assert not is_deeper(value, depth)
    assert depth == 0 or is_deeper(value, depth - 1)
