"""What it means that two answers are the same.

Scores agree to 1e-4. Results of equal scores may stand in any order, and where a limit cuts through
them, any of them may be the ones that stay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client.http import models  # qdrant_client.models has another QueryResponse

from tests.differential.twins import Refused

TOLERANCE = 1e-4


class Different(AssertionError):
    """Two answers are not the same."""


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def require(condition: bool, what: str, ours: Any, theirs: Any) -> None:
    if not condition:
        raise Different(f"{what} differ:\n  ours   {ours}\n  theirs {theirs}")


def same(ours: Any, theirs: Any, ordered: bool = False) -> None:
    """Compare any two answers of a client."""
    if isinstance(ours, Refused) or isinstance(theirs, Refused):
        both = isinstance(ours, Refused) and isinstance(theirs, Refused)
        require(both, "refusals", ours, theirs)
        require(bool(ours.text), "texts", ours, theirs)
    elif isinstance(theirs, models.QueryResponse):
        same_results(ours.points, theirs.points, ordered)
    elif isinstance(theirs, models.GroupsResult):
        same_groups(ours.groups, theirs.groups)
    elif isinstance(theirs, tuple):  # of a scroll
        same_results(ours[0], theirs[0], ordered)
        require(ours[1] == theirs[1], "next offsets", ours[1], theirs[1])
    elif isinstance(theirs, list) and theirs and isinstance(theirs[0], models.QueryResponse):
        require(len(ours) == len(theirs), "numbers of answers", len(ours), len(theirs))
        for one, other in zip(ours, theirs, strict=True):
            same(one, other, ordered)
    else:
        assert isinstance(theirs, list)
        require(ours == theirs, "answers", ours, theirs)


def same_results(ours: Sequence[Any], theirs: Sequence[Any], ordered: bool) -> None:
    """Compare scored points or records.

    Args:
        ours: Our list.
        theirs: The reference's list.
        ordered: Whether equal scores, too, must stand in the same order.
    """
    shown = [place_of(one) for one in ours], [place_of(one) for one in theirs]
    require(len(ours) == len(theirs), "lengths", *shown)
    for one, other in zip(ours, theirs, strict=True):
        require(close(score_of(one), score_of(other)), "scores", *shown)
        require(order_of(one) == order_of(other), "order values", *shown)
    if ordered:
        require([one.id for one in ours] == [one.id for one in theirs], "ids", *shown)
    for start, end in runs(theirs):
        mine = sorted(str(one.id) for one in ours[start:end])
        if end < len(theirs):
            their = sorted(str(one.id) for one in theirs[start:end])
            require(mine == their, "ids", *shown)
        else:
            earlier = {str(one.id) for one in theirs[:start]}
            # an order by arrays gives a point once for each of its values
            require(earlier.isdisjoint(mine) or ordered_by(theirs), "ids", *shown)
    same_contents(ours, theirs)


def same_contents(ours: Sequence[Any], theirs: Sequence[Any]) -> None:
    """Compare the payloads and vectors of the points that are in both lists."""
    known = {str(one.id): one for one in theirs}
    for one in ours:
        other = known.get(str(one.id))
        if other is not None:
            require(
                text_of(one.payload) == text_of(other.payload),
                f"payloads of {one.id}",
                one.payload,
                other.payload,
            )
            same_vectors(one.vector, other.vector)


def same_vectors(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        require(
            isinstance(ours, dict) and ours.keys() == theirs.keys(), "vector names", ours, theirs
        )
        for name, vector in theirs.items():
            same_vectors(ours[name], vector)
    elif isinstance(theirs, models.SparseVector):
        require(ours.indices == theirs.indices, "sparse indices", ours, theirs)
        same_vectors(ours.values, theirs.values)
    elif theirs is None:
        require(ours is None, "vectors", ours, theirs)
    else:
        alike = ours is not None and np.shape(ours) == np.shape(theirs)
        require(alike and np.allclose(ours, theirs, rtol=1e-4, atol=1e-5), "vectors", ours, theirs)


def same_groups(ours: Sequence[models.PointGroup], theirs: Sequence[models.PointGroup]) -> None:
    """Compare groups by id, then hit by hit; groups whose best hits tie may stand in any order."""
    shown = [show(one) for one in ours], [show(one) for one in theirs]
    require(len(ours) == len(theirs), "numbers of groups", *shown)
    known = {text_of(group.id): group for group in theirs}
    for one, other in zip(ours, theirs, strict=True):
        require(close(one.hits[0].score, other.hits[0].score), "groups", *shown)
        twin = known.get(text_of(one.id))
        tied = close(one.hits[0].score, theirs[-1].hits[0].score)
        require(twin is not None or tied, "groups", *shown)
        if twin is not None:
            same_results(one.hits, twin.hits, ordered=False)
            require(
                (one.lookup is None) == (twin.lookup is None), "lookups", one.lookup, twin.lookup
            )
            if one.lookup is not None and twin.lookup is not None:
                same_results([one.lookup], [twin.lookup], ordered=True)


def runs(results: Sequence[Any]) -> list[tuple[int, int]]:
    """Return the ranges within which scores and order values are equal."""
    edges = [0]
    for i in range(1, len(results)):
        one, other = results[i - 1], results[i]
        if not close(score_of(one), score_of(other)) or order_of(one) != order_of(other):
            edges.append(i)
    return list(zip(edges, [*edges[1:], len(results)], strict=True)) if results else []


def score_of(one: Any) -> float:
    return float(getattr(one, "score", 1.0))


def order_of(one: Any) -> Any:
    return getattr(one, "order_value", None)


def ordered_by(results: Sequence[Any]) -> bool:
    return any(order_of(one) is not None for one in results)


def place_of(one: Any) -> tuple[Any, ...]:
    return one.id, round(score_of(one), 5), order_of(one)


def show(group: models.PointGroup) -> tuple[Any, list[tuple[Any, ...]]]:
    return group.id, [place_of(hit) for hit in group.hits]


def text_of(value: Any) -> str:
    """Return JSON, in which 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True)
