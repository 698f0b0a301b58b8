"""One query on one view, answered as its plan says and with every row looked at.

Over bridges both take the same mapped query, factors and merge: what is measured there is what
walks lose, not what an adapter does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pyroaring import BitMap

from palimpsest.index.kinds.kind import Asked
from palimpsest.index.kinds.registry import search
from palimpsest.index.search.closest import Closest
from palimpsest.index.search.merge import Merged
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.view.view import View

# As far beyond the last of the closest, relative and absolute, a hit is as good as one of them:
# copies, and what sums of float32 in another order leave.
_TIE, _NOTHING = 1e-5, 1e-9


class Answerable(NamedTuple):
    """A request on a view, by a query vector of any kind; the rest is as of ``Asked``."""

    view: View
    request: SearchRequest
    allowed: BitMap | None = None
    without: int | None = None
    corpus: BitMap | None = None

    def planned(self) -> Closest:
        """Answer it as it is planned."""
        return self._answered(self.request._replace(noted=False))

    def exact(self, k: int) -> Closest:
        """Return the ``k`` closest points: by all codes, and originals where those leave it open.

        A caller's effort plays no part in it.
        """
        plain = self.request._replace(ef=None, rescore=None, oversampling=None, exact=False)
        return self._answered(
            plain._replace(k=k, offset=0, paged=False, every_row=True, noted=False)
        )

    def _answered(self, request: SearchRequest) -> Closest:
        asked = Asked(request, self.allowed, self.without, self.corpus)
        return search(self.view, asked)


def share_found(found: Merged, exact: Merged, *, estimated: bool = False) -> float | None:
    """Return which share of the closest points was found, None where there are none.

    Args:
        found: what a search found, as many as ``exact`` at most.
        exact: the closest points, which it was to find.
        estimated: the distances of ``found`` are estimates, which tell nothing of ties.
    """
    wanted = len(exact.ids)
    if not wanted:
        return None
    hits = np.isin(found.numbers, exact.numbers)
    if not estimated:
        last = float(exact.distances[-1])
        hits |= found.distances <= last + _TIE * abs(last) + _NOTHING
    return min(1.0, np.count_nonzero(hits) / wanted)
