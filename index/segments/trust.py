"""Which walks of a segment are trusted, so that nothing more is asked of them.

Searches at defaults go on while their answer may be poor (``index/native/segment.h``). To learn
whether it may costs a tenth of a search where it never is, as on ordinary text. So a probe tells up
to which distance answers are found by plain walks: queries that lie farther from all rows, of which
it says nothing, are looked into.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.segments.probe import (
    Exact,
    Find,
    K,
    ProbeSample,
    Recall,
    distances,
    limit_of,
    row_queries,
)
from index.types import Distance

MORE_QUERIES = 192  # compared with the searches that go on, no exact ones: few of them may be lost
_FOUND = 0.98  # mean recall@10 of plain walks, of each kind of query
# Of all queries: most are rows, which are found best. Users' queries lose several times as much
# (12,000 texts of 256 dimensions: .9977 here, .973 there; 48,000 of 384: .9996 and .993).
_ALL_FOUND = 0.9985
_EACH_FOUND = 0.6  # of every query
_SEED = 1


class Walks(NamedTuple):
    """The searches of a segment as they are planned: ``plain`` ones end with the first walk."""

    plain: Find
    checked: Find


def usual_distance(sample: ProbeSample, walks: Walks) -> float | None:
    """Return the distance of the K-th row up to which plain walks are trusted, None for none.

    By a query of length 1 under inner products, squared under euclid. Raises Cancelled.
    """
    recalls = sample.recalls(walks.plain)
    if not all(_is_found(each) for each in sample.split(recalls)):
        return None
    shares = _shares(sample, walks)
    if not _is_found(shares) or np.concatenate([recalls, shares]).mean() < _ALL_FOUND:
        return None
    last = sample.nearest[:, sample.k - 1]
    if sample.source.config.distance is Distance.DOT:
        last = last / np.linalg.norm(sample.queries.astype(np.float64), axis=1)
    return float(last.max())


def _is_found(each: Exact) -> bool:
    if not len(each):
        return True
    return Recall.of(each).mean >= _FOUND and float(each.min()) >= _EACH_FOUND


def _shares(sample: ProbeSample, walks: Walks) -> NDArray[np.float64]:
    """Return of more queries (q,) which share of what checked searches find plain walks find."""
    source, shares = sample.source, []
    for query in row_queries(source, MORE_QUERIES, _SEED):
        source.check()
        plain, checked = walks.plain(query, K)[:K], walks.checked(query, K)[:K]
        if not len(checked):
            continue
        asked = query[None, :]
        best = distances(source.read(checked), asked, source.config.distance)[0]
        found = distances(source.read(plain), asked, source.config.distance)[0]
        limit = limit_of(float(best.max()), source.config.distance)
        shares.append(min(1.0, np.count_nonzero(found <= limit) / len(checked)))
    return np.array(shares)
