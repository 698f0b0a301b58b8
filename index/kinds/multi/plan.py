"""What a search of sets means once every default is resolved."""

from __future__ import annotations

import math
from typing import NamedTuple

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import MAX_EF, MAX_POINTS
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.kinds.multi.probe import VECTORS
from palimpsest.index.search.plan import Page, SearchRequest, page, rescored_of

# Sets compared again by originals, per wanted one, by the bits of their vectors' codes.
DEFAULT_OVERSAMPLING = {8: 2.0, 4: 3.0, 2: 6.0}
_WIDER = 2  # candidates of a long answer, per result
_SCANNED = 2  # times the candidates, up to which all sets are compared by codes
# Times as many are compared by originals where all are by codes: sets have no bounds that would
# tell when to stop.
_SURE = 4


class MultiPlan(NamedTuple):
    """``page`` says which results are the answer.

    Of a segment ``depth`` candidates are compared by codes, None for what it needs, and
    the ``rescored`` closest of these by originals, 0 for none. ``until_sure`` has fewer of them
    compared where the others are too far to come among the results: unless the caller says how
    many. ``noted`` is that of the request.
    """

    page: Page
    exact: bool
    depth: int | None
    rescored: int
    noted: bool = True
    until_sure: bool = False

    def candidates(self, needed: int, asked: int = VECTORS) -> int:
        """Return how many candidates are compared of a segment.

        Args:
            needed: how many a segment needs, as a probe found by queries of ``VECTORS``.
            asked: how many vectors the query has, 0 for one that will be refused. Few even out less
                of how far generators are off, about by the root of their number. Of 2,000 sets .56
                of the ten closest were among 50 candidates by one vector, .74 by eight, .81 by
                sixteen. Where these needed 300, one vector found .90 by as many; with four times
                as many it compares a quarter of what sixteen vectors do.
        """
        depth = self.depth
        if depth is None:
            depth = math.ceil(needed * math.sqrt(VECTORS / min(max(asked, 1), VECTORS)))
        return max(depth, _WIDER * self.page.fetch, self.rescored)

    def is_few(self, sets: int, needed: int, asked: int = VECTORS) -> bool:
        """Tell whether comparing so many sets costs less than to look for candidates."""
        return sets <= _SCANNED * self.candidates(needed, asked)


def resolve_multi(request: SearchRequest, config: MultiConfig, *, without: int = 0) -> MultiPlan:
    """Return the plan; ``without`` results will be dropped besides the offset.

    A caller's ef is the number of candidates.

    Raises:
        InvalidConfig: a parameter is out of range.
    """
    of, depth = page(request, without=without), request.ef
    if depth is not None and not 1 <= depth <= MAX_EF:
        raise InvalidConfig(f"ef: expected 1 to {MAX_EF}, got {depth}")
    exact = request.exact or request.ignore_codes or not config.is_coded
    default = DEFAULT_OVERSAMPLING[config.token_bits]
    rescored = rescored_of(of.fetch, request.rescore, request.oversampling, default)
    if request.every_row:
        depth, rescored = MAX_POINTS, _SURE * rescored
    until_sure = request.oversampling is None and not request.every_row
    return MultiPlan(of, exact, depth, rescored, request.noted, until_sure)
