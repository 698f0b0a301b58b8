"""Whether contents that were read from disk can be those of an index.

Checksums tell that bytes are as they were written, not that what wrote them was in order. Parts
that disagree about which points hold something answer wrongly, and some cannot be searched at all:
such contents are refused when they are read, and the index is built again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def require(is_so: bool, what: str) -> None:
    """Raise ValueError, which says what does not fit, unless it is so."""
    if not is_so:
        raise ValueError(f"contents of a payload index do not fit: {what}")


def require_array(array: NDArray[Any], dtype: type[np.generic], *shape: int) -> None:
    """Require the dtype and the lengths, -1 for any, of an array. Raises ValueError."""
    fits = array.ndim == len(shape) and all(
        wanted in (-1, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    expected = f"expected {np.dtype(dtype)} of shape {shape}"
    require(array.dtype == dtype and fits, f"{expected}, got {array.dtype} of {array.shape}")
