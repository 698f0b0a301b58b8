"""Decides whether rows that a filter allows are scanned, or walked to over the graph."""

from __future__ import annotations

from palimpsest.index.segments.searcher import Walk

# With a filter. Measured on 48,000 text embeddings of 384 dimensions and 200,000 made-up ones with
# 4-bit codes: a scan takes 10 to 25 ns a row, a walk 40 ns a row it scores, 60 past other rows.
SAMPLED_ROWS = 1_024  # tested to learn how many are allowed: off by 5 % where half are
_SCANNED_PER_EF = 200  # up to so many rows a scan is quicker than looking past rows
SCANNED_PER_EF_FEW = 16  # without a filter: where rows are so few, walks find less than elsewhere
SCANNED_PER_EF_WIDE = 48  # the same for the wide walk, whose cost grows as 1 / share
_WIDE_SHARE = 0.3  # of the rows that are allowed, from which all rows are walked over
# Times ef where few are allowed, rising to 1: recall@10 stays what ef gives without a filter.
_WIDE_EF = 0.3
_WIDE_FRONTIER = 2.0  # times ef / share, the rows met before ef allowed ones are
_WIDE_SCORED = 1 / 3  # of the allowed rows: as long as a scan takes
# Around the query, times the share of all. The wide walk proves its answer but would mostly give up
# late below that; the other's recall@10 falls from .99 to below .8.
_WIDE_LEAST_SHARE = 0.5
_TWO_HOPS_LEAST_SHARE = 0.25
_TWO_HOPS_EF = 1.5  # times ef: looking past rows misses links (recall@10 .975 becomes .99)


def is_few(most: int, ef: int) -> bool:
    """Tell whether at most ``most`` allowed rows are surely scanned quicker than walked to."""
    return most <= SCANNED_PER_EF_WIDE * ef


def walk_of(n: int, allowed: int, ef: int, *, surely: bool = False) -> Walk | None:
    """Return the walk to ``allowed`` of ``n`` rows, None where scanning them is quicker.

    A sure one finds ``ef`` rows or none, however few of them are asked for.
    """
    share = min(max(allowed, 1) / n, 1.0)
    if share < _WIDE_SHARE:
        if allowed <= _SCANNED_PER_EF * ef:
            return None
        return Walk(min(int(_TWO_HOPS_EF * ef), n), True, n, 1, _TWO_HOPS_LEAST_SHARE * share)
    if allowed * share <= SCANNED_PER_EF_WIDE * ef:
        return None
    if not surely:
        ef = int((_WIDE_EF + (1 - _WIDE_EF) * share) * ef) + 1
    ef = min(ef, n)
    frontier = int(_WIDE_FRONTIER * ef / share) + 1
    return Walk(ef, False, int(_WIDE_SCORED * allowed), frontier, _WIDE_LEAST_SHARE * share)
