"""The fast choice of a row's grid scale against its twin, the exact search over breakpoints."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import _native_test
from palimpsest.index.types import Vector
from tests import codes as layout
from tests.unit.encoding.test_planes import cosines, gaussian


def best_rho(residual: Vector, bits: int) -> float:
    """Return the largest cosine over all grid scales, by visiting every breakpoint.

    The exact search (2409.09913, Algorithm 1): the code of |r_i| steps from j - 1 to j at the
    scale j / |r_i|, which adds |r_i| to <x, r> and 2 j to |x|^2.
    """
    a = np.abs(residual.astype(np.float64))
    steps = np.arange(1, 2 ** (bits - 1))
    order = np.argsort((steps[:, None] / a[None, :]).ravel(), kind="stable")
    inner = 0.5 * a.sum() + np.cumsum(np.tile(a, len(steps))[order])
    norm2 = 0.25 * len(a) + np.cumsum(np.repeat(2.0 * steps, len(a))[order])
    return float((inner / np.sqrt(norm2)).max() / np.linalg.norm(a))


@pytest.mark.parametrize(("bits", "loss"), [(2, 3e-4), (4, 3e-4), (8, 3e-5)])
@pytest.mark.parametrize("size", [64, 256, 1536])
def test_the_fast_scale_loses_next_to_nothing(size: int, bits: int, loss: float) -> None:
    """Measured means at 256 dimensions: 3e-5, 3e-5 and 4e-6 (errors 0.03 %, 0.3 % and 9 % wider).

    The last is below what rounding the query to 8 bits adds.
    """
    losses = []
    for residual in gaussian(50, size, 24):
        code = np.empty(layout.code_bytes(size, bits), dtype=np.uint8)
        _native_test.encode("scalar", residual, bits, 1.0, code)
        rho = cosines(residual[None], layout.centred(code[None], bits))[0]
        losses.append(best_rho(residual, bits) - rho)
    assert min(losses) > -1e-9
    assert max(losses) < loss
    assert np.mean(losses) < loss / 3
