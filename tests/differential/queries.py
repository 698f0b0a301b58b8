"""Query trees: every kind of query, alone and over prefetches of prefetches.

Left out because the local mode is not a reference there: a score threshold on examples under Euclid
and Manhattan (it cuts a descending list as if it ascended), and random samples (tested apart).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from qdrant_client import models

from tests.differential.filters import IDS, wide_filters
from tests.differential.formulas import formulas
from tests.differential.points import NAMES, SETS, SPACES, Points, seeds, vector_of

Draw = st.DrawFn
THRESHOLDS = [-3.21, -0.72, -0.123, 0.234, 0.52, 1.73, 2.9]
EXAMPLES: tuple[type, ...] = (models.RecommendQuery, models.DiscoverQuery, models.ContextQuery)
TIED = models.ContextQuery  # many scores of exactly 0: what is fused above hangs on their order
ENDS = [0, 1, 2, 3, 2.5, None]


def target(
    draw: Draw, name: str, having: Mapping[str, Sequence[Any]], *, apart: bool = False
) -> Any:
    """Return a vector, or the id of a point that has one (sometimes of one that may not).

    A vector is sometimes that of a point, not so when it is to be ``apart``.
    """
    kind = draw(st.sampled_from(["vector"] * 10 + ["id"] * 9 + ["any id"]))
    if kind == "vector" or not having[name]:
        return vector_of(name, draw(seeds) + (APART if apart else 0))
    return draw(st.sampled_from(having[name] if kind == "id" else IDS))


def some(draw: Draw, name: str, points: Points, least: int, most: int) -> list[Any]:
    n = draw(st.integers(least, most))
    return [target(draw, name, points.having) for _ in range(n)]


def nearest(draw: Draw, name: str, points: Points) -> models.NearestQuery:
    return models.NearestQuery(nearest=target(draw, name, points.having))


def diverse(draw: Draw, name: str, points: Points) -> models.NearestQuery:
    mmr = models.Mmr(
        diversity=draw(st.sampled_from([None, 0.0, 0.3, 0.8, 1.0])),
        candidates_limit=draw(st.sampled_from([None, 5, 50])),
    )
    # at the vector of a point, all others are as close to the query as to that point: a tie
    wanted = target(draw, name, points.having, apart=True)
    return models.NearestQuery(nearest=wanted, mmr=mmr)


def recommend(draw: Draw, name: str, points: Points) -> models.RecommendQuery:
    strategy = draw(st.sampled_from([None, *models.RecommendStrategy]))
    averaging = strategy in (None, models.RecommendStrategy.AVERAGE_VECTOR)
    positive = some(draw, name, points, int(averaging), 3)
    # of none at all the local mode finds out only where there are points to compare with
    negative = some(draw, name, points, int(not positive), 2)
    wanted = models.RecommendInput(positive=positive, negative=negative, strategy=strategy)
    return models.RecommendQuery(recommend=wanted)


def pairs(draw: Draw, name: str, points: Points, least: int) -> list[models.ContextPair]:
    n = draw(st.integers(least, 3))
    both = [some(draw, name, points, 2, 2) for _ in range(n)]
    return [models.ContextPair(positive=one, negative=other) for one, other in both]


def discover(draw: Draw, name: str, points: Points) -> models.DiscoverQuery:
    wanted = models.DiscoverInput(
        target=target(draw, name, points.having), context=pairs(draw, name, points, 0)
    )
    return models.DiscoverQuery(discover=wanted)


def context(draw: Draw, name: str, points: Points) -> models.ContextQuery:
    return models.ContextQuery(context=pairs(draw, name, points, 1))


def ordered(draw: Draw) -> models.OrderByQuery:
    order = models.OrderBy(
        key=draw(st.sampled_from(["n", "p", "nested.m", "list", "day"])),
        direction=draw(st.sampled_from([None, *models.Direction])),
        start_from=draw(st.sampled_from(ENDS)),
    )
    return models.OrderByQuery(order_by=order)


def fusion(draw: Draw, sources: int) -> models.FusionQuery | models.RrfQuery:
    if draw(st.booleans()):
        return models.FusionQuery(fusion=draw(st.sampled_from(models.Fusion)))
    weights = draw(
        st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.3]), min_size=sources, max_size=sources)
    )
    return models.RrfQuery(
        rrf=models.Rrf(
            k=draw(st.sampled_from([None, 1, 2, 60])),
            weights=draw(st.sampled_from([None, weights])),
        )
    )


@st.composite
def vector_queries(draw: Draw, points: Points) -> tuple[Any, str | None]:
    """A query that ranks by vectors, and the name of the vectors."""
    name = draw(st.sampled_from([*NAMES, "", ""]))
    kinds = [nearest, nearest, nearest, diverse, recommend, recommend, discover, context]
    query = draw(st.sampled_from(kinds))(draw, name, points)
    if isinstance(query, models.NearestQuery) and query.mmr is None and draw(st.booleans()):
        query = query.nearest  # the short form
    return query, name or draw(st.sampled_from(["", None]))


def threshold_for(draw: Draw, query: Any, using: str | None) -> float | None:
    distance = {**SPACES, **SETS}.get(using or "")
    farther = distance in (models.Distance.EUCLID, models.Distance.MANHATTAN)
    if isinstance(query, models.OrderByQuery) or (farther and isinstance(query, EXAMPLES)):
        return None
    if draw(st.sampled_from([True, True, True, False])):
        return None
    return draw(st.sampled_from(THRESHOLDS))


@st.composite
def prefetches(draw: Draw, points: Points, depth: int) -> models.Prefetch:
    """One prefetch, with its own prefetches while depth lasts."""
    inner = (
        draw(st.lists(prefetches(points, depth - 1), min_size=1, max_size=2))
        if depth and draw(st.booleans())
        else None
    )
    query, using = draw(asked(points, inner).filter(lambda pair: not isinstance(pair[0], TIED)))
    return models.Prefetch(
        prefetch=inner,
        query=query,
        using=using,
        filter=draw(st.one_of(st.none(), st.none(), wide_filters)),
        limit=draw(st.sampled_from([None, 3, 7, 100])),
        score_threshold=threshold_for(draw, query, using),
    )


@st.composite
def asked(
    draw: Draw, points: Points, inner: list[models.Prefetch] | None
) -> tuple[Any, str | None]:
    """A query that goes with the prefetches, or with none."""
    over = ["fusion"] * 4 + ["formula"] * 3 if inner else []
    kind = draw(st.sampled_from([*over, "vectors", "vectors", "vectors", "vectors", "order"]))
    if inner and kind == "fusion":
        return fusion(draw, len(inner)), None
    if kind == "formula":
        return draw(formulas), None
    if kind == "order":
        return ordered(draw), None
    return draw(vector_queries(points))


EVERYTHING = 100
APART = 2**40  # beyond the seeds of all points
SELECTORS = [
    True,
    True,
    False,
    ["n", "nested.m"],
    ["list[]", "word"],
    ["list[0]", "missing"],
    [],
    models.PayloadSelectorInclude(include=["home.lon"]),
    models.PayloadSelectorExclude(exclude=["nested", "home.lat", "list[]"]),
]


def shape(draw: Draw) -> dict[str, Any]:
    """What of the points is wanted, and how many."""
    return {
        "limit": draw(st.sampled_from([1, 3, 10, 10, 100])),
        "offset": draw(st.sampled_from([None, None, None, 0, 2, 2, 30])),
        "with_payload": draw(st.sampled_from(SELECTORS)),
        "with_vectors": draw(
            st.sampled_from([False, False, True, ["", "sparse"], ["dot", "sets"]])
        ),
    }


@st.composite
def requests(draw: Draw, points: Points) -> dict[str, Any]:
    """The arguments of one `query_points`."""
    inner = (
        draw(st.lists(prefetches(points, 1), min_size=1, max_size=3))
        if draw(st.booleans())
        else None
    )
    query, using = draw(asked(points, inner))
    if inner is None and draw(st.sampled_from([False] * 9 + [True])):
        query, using = None, None
    return {
        "query": query,
        "using": using,
        "prefetch": inner,
        "query_filter": draw(st.one_of(st.none(), wide_filters)),
        "score_threshold": query and threshold_for(draw, query, using),
        **shape(draw),
    }


@st.composite
def grouped(draw: Draw, points: Points) -> dict[str, Any]:
    """The arguments of one `query_points_groups`."""
    request = draw(requests(points))
    del request["offset"]
    widen(request["prefetch"] or [])
    request["limit"] = draw(st.sampled_from([1, 2, 10]))
    request["group_size"] = draw(st.sampled_from([1, 2, 3, 50]))
    request["group_by"] = draw(
        st.sampled_from(["n", "word", "word[]", "nested.m", "list", "list[0]", "p"])
    )
    return request


def widen(prefetches: list[models.Prefetch]) -> None:
    """Set limits beyond all points, since the local mode forgets those of prefetches in groups."""
    for one in prefetches:
        one.limit = EVERYTHING
        widen(one.prefetch or [])  # type: ignore[arg-type]


def strict(request: Mapping[str, Any]) -> bool:
    """Whether the order is told by more than scores: by ids, or by the steps of MMR."""
    query = request["query"]
    return query is None or (isinstance(query, models.NearestQuery) and query.mmr is not None)
