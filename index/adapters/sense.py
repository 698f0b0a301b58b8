"""Whether an adapter that was read from disk maps anything, though every checksum is right."""

from __future__ import annotations

import numpy as np

from palimpsest.index.adapters.adapter import Adapter


def require_sense(adapter: Adapter) -> None:
    """Require finite numbers, and shapes that a query and a row go through.

    Raises:
        ValueError: they are other, or numpy says so of them.
    """
    for name, array in adapter.arrays().items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"{name} ({array.dtype}) of an adapter: expected finite floats")
    rows, queries = adapter.rows_size, adapter.queries_size
    row = np.full((1, rows), rows**-0.5, dtype=np.float32)
    query = np.full(queries, queries**-0.5, dtype=np.float32)
    with np.errstate(all="ignore"):  # what is infinite is told below
        vector, shift = adapter.map_query(query)
        estimate, scores = adapter.map_rows(row), adapter.rescore(query, row)
    if vector.shape != (rows,) or estimate.shape != (1, queries) or scores.shape != (1,):
        raise ValueError(f"an adapter of {rows} and {queries} dimensions maps to other numbers")
    if not (np.isfinite(vector).all() and np.isfinite(shift) and np.isfinite(scores).all()):
        raise ValueError("an adapter maps an ordinary vector to something infinite")
