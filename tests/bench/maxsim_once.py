"""MaxSim kernels against numpy, in a process of its own: the kernel level is chosen at its start.

Run as `python -P maxsim_once.py FOLDER ROUNDS` with PALIMPSEST_SIMD set to a level, and one thread
for numpy. FOLDER holds `values.npy` (n, d) float32, `starts.npy` (m + 1,) and `query.npy` (t, d).
Prints CPU seconds as JSON: the least of so many rounds, contenders in turns.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from palimpsest.index.config.multi import TOKEN_BITS
from palimpsest.index.encoding.tokens import ExactMaxSim, MaxSim, TokenEncoder
from palimpsest.index.types import Distance


def main() -> None:
    """Measure every width and the exact kernel, print the times."""
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    values, starts, query = (np.load(folder / f"{n}.npy") for n in ("values", "starts", "query"))
    rows = np.arange(len(starts) - 1, dtype=np.uint32)
    halves = values.astype(np.float16)
    exact = ExactMaxSim(Distance.COSINE)
    contenders: dict[str, Callable[[], object]] = {
        "numpy": lambda: np.maximum.reduceat(query @ values.T, starts[:-1], axis=1).sum(axis=0),
        "float32": lambda: exact.scores(query, values, starts, rows),
        "float16": lambda: exact.scores(query, halves, starts, rows),
    }
    for bits in TOKEN_BITS:
        encoder = TokenEncoder(values.shape[1], bits)
        contenders[f"{bits}-bit"] = _coded(
            MaxSim(encoder), encoder.encode(values), query, starts, rows
        )
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - started)
    print(json.dumps(best))


def _coded(
    scorer: MaxSim,
    codes: np.ndarray,
    query: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
) -> Callable[[], object]:
    return lambda: scorer.scores(query, codes, starts, rows)


if __name__ == "__main__":
    main()
