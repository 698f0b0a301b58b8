"""The least effort that is enough, of those that rise."""

from __future__ import annotations

from time import monotonic

import numpy as np
import pytest

from palimpsest.index import SearchRequest
from palimpsest.index.recall.answered import Answerable, share_found
from palimpsest.index.recall.needed import EFFORTS, Answered, OutOfTime, least, needed_ef
from tests.conftest import OpenCollection
from tests.unit.recall.rows import ASKED, sealed


def test_the_least_that_is_enough() -> None:
    for enough in (*range(8, 5_000, 61), 8, 4_096):
        plain = next((ef for ef in EFFORTS if ef >= enough), None)
        assert least(EFFORTS, lambda ef, enough=enough: ef >= enough) == plain
    assert least(EFFORTS, lambda _: False) is None
    assert least([], lambda _: True) is None


def test_searches_by_it_find_enough_and_by_the_one_before_do_not(
    collection_of: OpenCollection,
) -> None:
    collection = sealed(collection_of)
    asked = [Answerable(collection.view, SearchRequest(query)) for query in ASKED]
    answered = [Answered(one, one.exact(10).merged) for one in asked]

    def recall(ef: int) -> float:
        shares = []
        for one, exact in answered:
            found = one._replace(request=one.request._replace(ef=ef)).planned()
            shares.append(share_found(found.merged, exact))
        return float(np.mean([share for share in shares if share is not None]))

    needed = needed_ef(answered, 0.98, monotonic() + 60)
    assert needed is not None and recall(needed) >= 0.98
    efforts = [ef for ef in EFFORTS if ef >= 10]
    if needed > efforts[0]:
        assert recall(efforts[efforts.index(needed) - 1]) < 0.98
    with pytest.raises(OutOfTime):
        needed_ef(answered, 0.98, monotonic() - 1)
