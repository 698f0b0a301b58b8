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

from palimpsest.index.config.vectors import DEFAULT_RECALL as WANTED
from palimpsest.index.segments.probe import (
    Exact,
    Find,
    K,
    ProbeSample,
    Recall,
    distances,
    limit_of,
    row_queries,
)
from palimpsest.index.types import Distance

FEWEST_ROWS = 2_048  # fewer are compared one by one by default searches: nothing is walked
MORE_QUERIES = 192  # compared with the searches that go on, no exact ones: few of them may be lost
_FOUND = 0.98  # mean recall@10 of plain walks, of rows and of mixtures
# Of queries that lie farther out, which are few: users' own find up to .01 less (48,000 texts of
# 256 dimensions: .981 here, .970 there; of 384: .992 and .990).
_OTHERS_FOUND = 0.985
# Of rows, which are found best. Users' queries lose several times as much (12,000 texts of 256
# dimensions: .9977 here, .973 there; 48,000 of 384: .9996 and .993).
_ROWS_FOUND = 0.9985
_EACH_FOUND = 0.6  # of every row, and of every mixture of rows
_EACH_OTHER_FOUND = 0.3  # of every query that lies farther out
_SEED = 1


class Walks(NamedTuple):
    """The searches of a segment as they are planned: ``plain`` ones end with the first walk."""

    plain: Find
    checked: Find


def usual_distance(sample: ProbeSample, walks: Walks, recalls: Exact) -> float | None:
    """Return the distance of the K-th row up to which plain walks are trusted, None for none.

    ``recalls`` (q,) are those of the sample by plain walks. By a query of length 1 under inner
    products, squared under euclid. Raises Cancelled.
    """
    rows, *others = sample.split(recalls)
    less = min(sample.wanted - WANTED, 0.0)  # is enough where less is wanted
    found, others_found = (
        max(usually + less, sample.wanted) for usually in (_FOUND, _OTHERS_FOUND)
    )
    if not _is_found(rows, found, _EACH_FOUND):
        return None
    # All kinds of queries have to be found: a mean over all of them would hide the few that lie far
    # out.
    if not all(_is_found(each, others_found, _EACH_OTHER_FOUND) for each in others):
        return None
    shares = _shares(sample, walks)
    every_row = np.concatenate([rows, shares])
    if not _is_found(shares, found, _EACH_FOUND) or every_row.mean() < _ROWS_FOUND + less:
        return None
    last = sample.nearest[:, sample.k - 1]
    if sample.source.config.distance is Distance.DOT:
        # Inner products grow with the query: a distance is only comparable for queries of one
        # length.
        last = last / np.linalg.norm(sample.queries.astype(np.float64), axis=1)
    return float(last.max())


def finds_less(sample: ProbeSample, recalls: Exact) -> bool:
    """Tell whether plain walks find less than wanted of queries as far out as users' own.

    Looking into such walks mends those that end in poor places, not those that merely miss some.
    """
    _, moved, users = sample.split(recalls)
    wanted = max(_OTHERS_FOUND + min(sample.wanted - WANTED, 0.0), sample.wanted)
    return any(len(each) > 0 and Recall.of(each).mean < wanted for each in (moved, users))


def _is_found(each: Exact, mean: float, least: float) -> bool:
    return not len(each) or (float(each.mean()) >= mean and float(each.min()) >= least)


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
