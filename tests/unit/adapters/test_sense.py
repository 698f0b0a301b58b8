"""An adapter that was read and maps nothing is damage, though its checksums are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index.adapters.kinds import adapter_from_json
from palimpsest.index.adapters.sense import require_sense
from palimpsest.index.types import Distance

Array = NDArray[Any]
STORED = {"kind": "ridge", "queries_distance": str(Distance.COSINE)}
ARRAYS: Mapping[str, Array] = {
    "matrix": np.eye(4, 3, dtype=np.float32),
    "bias": np.zeros(4, dtype=np.float32),
}
WAYS: Mapping[str, Callable[[Array], Array]] = {
    "longer": lambda array: np.concatenate([array, array]),
    "integers": lambda array: array.astype(np.int64),
    "another shape": lambda array: array[None],
    "infinite": lambda array: np.full_like(array, np.inf),
    "overflowing": lambda array: np.full_like(array, np.finfo(np.float32).max),
}


def test_what_was_fitted_passes() -> None:
    require_sense(adapter_from_json(STORED, ARRAYS))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ARRAYS)
def test_what_maps_nothing_is_refused(name: str, way: str) -> None:
    arrays = {**ARRAYS, name: WAYS[way](ARRAYS[name])}
    with pytest.raises((ValueError, LookupError, TypeError)):
        require_sense(adapter_from_json(STORED, arrays))
