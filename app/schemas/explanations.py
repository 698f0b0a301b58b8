"""What a search did, as it is sent beside its result (``x-palimpsest-explain``)."""

from __future__ import annotations

import msgspec

from index import SearchStats


class VersionExplanation(msgspec.Struct):
    """One version that was searched.

    ``adapter`` and ``merge`` are how its rows were compared with the query and how their scores
    were made comparable; null for rows of the query's own version. ``points`` is how many were
    searched, ``hits`` how many of them stand among the candidates that were merged.
    """

    version: str
    adapter: str | None
    merge: str | None
    points: int
    hits: int


class Explanation(msgspec.Struct):
    """One search: the versions it reached, what it counted, and seconds per stage.

    ``versions`` is empty where the vector has a single one.
    """

    versions: list[VersionExplanation]
    points_bridged: int
    visited: int
    scored: int
    rescored: int
    segments: int
    seconds: dict[str, float]


def explain(stats: SearchStats) -> Explanation:
    """Return what a search did as it is sent."""
    versions = [
        VersionExplanation(one.version, one.adapter, one.merge, one.searched, one.hits)
        for one in stats.versions
    ]
    return Explanation(
        versions=versions,
        points_bridged=sum(one.hits for one in versions if one.adapter is not None),
        visited=stats.visited,
        scored=stats.scored,
        rescored=stats.rescored,
        segments=stats.segments,
        seconds=dict(stats.seconds),
    )
