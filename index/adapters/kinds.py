"""Adapters: queries of one embedding model over rows of another, without touching a row.

    pairs = make_pairs(rows, queries, rows_distance, queries_distance)
    adapter, table = fit_best(pairs.take(slice(4_000)), pairs.take(slice(4_000, None)), ...)
    vector, shift = adapter.map_query(query)
    score = (rows @ vector + shift) * adapter.row_factors(rows)

Kinds stand in ``fit_kinds``, what they have in common in ``adapter``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from palimpsest.index.adapters.adapter import Adapter, Arrays, Kind, MappedQuery
from palimpsest.index.adapters.choosing import fit_best
from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.fit_kinds import FitOptions, check_kind, fit
from palimpsest.index.adapters.map_queries import MatrixAdapter, PrefixAdapter
from palimpsest.index.adapters.pairs import Pairs, directed, make_pairs, needed_pairs
from palimpsest.index.adapters.radial import RadialAdapter
from palimpsest.index.adapters.relative import RelativeAdapter
from palimpsest.index.adapters.scoring import best, bridged_scores, native_scores, rescored
from palimpsest.index.adapters.watch import FitCancelled, Watch

__all__ = [
    "KINDS",
    "Adapter",
    "FitCancelled",
    "FitOptions",
    "Kind",
    "MappedQuery",
    "Pairs",
    "Watch",
    "adapter_from_json",
    "best",
    "bridged_scores",
    "check_kind",
    "directed",
    "fit",
    "fit_best",
    "make_pairs",
    "native_scores",
    "needed_pairs",
    "rescored",
]

KINDS: tuple[Kind, ...] = get_args(Kind)

_CLASSES: Mapping[
    str,
    type[AffineAdapter]
    | type[MatrixAdapter]
    | type[PrefixAdapter]
    | type[RadialAdapter]
    | type[RelativeAdapter],
] = {
    "ridge": AffineAdapter,
    "low_rank": AffineAdapter,
    "mlp": RadialAdapter,
    "procrustes": MatrixAdapter,
    "procrustes_centred": MatrixAdapter,
    "matrix": MatrixAdapter,
    "identity": PrefixAdapter,
    "prefix": PrefixAdapter,
    "relative": RelativeAdapter,
}


def adapter_from_json(stored: Mapping[str, Any], arrays: Arrays) -> Adapter:
    """Return the adapter that ``to_json`` and ``arrays`` describe, bit by bit.

    Raises:
        LookupError: a kind that is not known, or something is missing.
        ValueError: a value that is not one of its own.
    """
    return _CLASSES[stored["kind"]].from_json(stored, arrays)
