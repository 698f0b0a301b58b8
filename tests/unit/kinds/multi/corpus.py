"""Sets whose vectors lie near a few directions of their own, as those of texts do."""

from __future__ import annotations

import numpy as np

from tests.unit.kinds.multi.twin import Set

SIZE = 16


def texts(n: int, seed: int = 0, most: int = 12) -> dict[int, Set]:
    """Return n sets of two to ``most`` vectors, near some of 300 common ones."""
    common = np.random.default_rng(99).standard_normal((300, SIZE))
    rng = np.random.default_rng(seed)
    sets = {}
    for number in range(n):
        count, topic = int(rng.integers(2, most + 1)), int(rng.integers(0, 270))
        places = topic + rng.integers(0, 30, count)
        values = common[places] + 0.3 * rng.standard_normal((count, SIZE))
        sets[number] = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return sets
