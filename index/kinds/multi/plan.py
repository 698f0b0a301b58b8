"""What a search of sets means once every default is resolved."""

from __future__ import annotations

from typing import NamedTuple

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import MAX_EF, MAX_POINTS
from palimpsest.index.errors import InvalidConfig
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

    Of a segment ``depth`` candidates are compared by codes, None for what the segment needs, and
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

    def candidates(self, needed: int) -> int:
        """Return how many candidates are compared of a segment that needs so many."""
        depth = needed if self.depth is None else self.depth
        return max(depth, _WIDER * self.page.fetch, self.rescored)

    def is_few(self, sets: int, needed: int) -> bool:
        """Tell whether comparing so many sets costs less than to look for candidates."""
        return sets <= _SCANNED * self.candidates(needed)


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
