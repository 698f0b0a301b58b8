"""What a search did, as it is sent beside its result (``x-palimpsest-explain``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from palimpsest.app.remedies import help_of
from palimpsest.app.schemas.hits import shortest
from palimpsest.app.warnings import Warnings
from palimpsest.index import (
    Collection,
    FitAdapter,
    MatchedParts,
    OutOfReach,
    PointId,
    SearchStats,
)


class VersionExplanation(msgspec.Struct):
    """One version that was searched.

    ``adapter`` and ``merge`` are how its rows were compared with the query and how their scores
    were made comparable; null for rows of the query's own version, whose ``scores`` are exact.
    ``points`` is how many were searched, ``hits`` how many of them stand among the candidates that
    were merged.
    """

    version: str
    adapter: str | None
    merge: str | None
    points: int
    hits: int
    scores: Literal["exact", "estimated"]


class Unreached(msgspec.Struct):
    """Points that hold only version ``rows`` of a vector, to which no adapter leads."""

    vector: str
    rows: str
    queries: str
    points: int


class MatchedVectors(msgspec.Struct):
    """Which vectors of a hit's multi-vector match the query, by their places in it from 0.

    ``best`` is the one with the greatest similarity summed over the query; ``parts`` has the best
    one for each vector of the query, and ``scores`` their similarities, or distances. Where vectors
    are pooled and their originals not kept, they are the first of those that were pooled into the
    one that matches, ``pooled_best`` and ``pooled_parts`` are all of these. ``example`` is which of
    several examples they match: the closest of the liked ones, by its place among them.
    """

    id: PointId
    best: int
    parts: list[int]
    scores: list[float]
    pooled_best: list[int] | msgspec.UnsetType = msgspec.UNSET
    pooled_parts: list[list[int]] | msgspec.UnsetType = msgspec.UNSET
    example: int | msgspec.UnsetType = msgspec.UNSET


class Explanation(msgspec.Struct):
    """One search: the versions it reached, what it counted, and seconds per stage.

    ``decisions`` counts the segments of dense vectors by what was decided of their searches when
    they were written (``docs/recall.md``); ``extended`` those in which the codes left the answer
    open, so that more was looked at, ``scanned`` those of them in which all rows were. ``ef`` is
    how many candidates walks began with, at most, 0 where none was made. ``versions``
    is empty where the vector has a single one. ``estimated`` are the hits whose scores
    are estimates in the metric of the query's version; ``out_of_reach`` is what was not searched.
    ``automatic_indexes`` are fields that the filter asks and nobody declared an index of: one was
    made in memory. ``matched`` stands beside hits that are ranked by a multi-vector, in order.
    """

    versions: list[VersionExplanation]
    points_bridged: int
    estimated: list[PointId]
    out_of_reach: list[Unreached]
    ef: int
    visited: int
    scored: int
    rescored: int
    segments: int
    decisions: dict[str, int]
    extended: int
    scanned: int
    seconds: dict[str, float]
    matched: list[MatchedVectors] | msgspec.UnsetType = msgspec.UNSET
    automatic_indexes: list[str] | msgspec.UnsetType = msgspec.UNSET


def explain(
    stats: SearchStats,
    collection: Collection,
    hits: Sequence[PointId] = (),
    matched: Sequence[MatchedVectors] = (),
) -> Explanation:
    """Return what a search did as it is sent, for hits by their ids, and what of them matched."""
    versions = [
        VersionExplanation(
            one.version,
            one.adapter,
            one.merge,
            one.searched,
            one.hits,
            "exact" if one.merge is None else "estimated",
        )
        for one in stats.versions
    ]
    return Explanation(
        versions=versions,
        points_bridged=sum(one.hits for one in versions if one.adapter is not None),
        estimated=collection.versions.estimated(stats, hits),
        out_of_reach=[Unreached(*one[:4]) for one in most_out_of_reach(stats)],
        ef=stats.ef,
        visited=stats.visited,
        scored=stats.scored,
        rescored=stats.rescored,
        segments=stats.segments,
        decisions=dict(stats.decisions),
        extended=stats.extended,
        scanned=stats.scanned,
        seconds=dict(stats.seconds),
        matched=[*matched] or msgspec.UNSET,
        automatic_indexes=sorted({*stats.automatic}) or msgspec.UNSET,
    )


def describe_matched(
    parts: Mapping[PointId, MatchedParts], similarity: bool
) -> list[MatchedVectors]:
    """Return which vectors of hits match, as it is sent."""
    return [_matched(one, part, similarity) for one, part in parts.items()]


def _matched(one: PointId, part: MatchedParts, similarity: bool) -> MatchedVectors:
    scores = shortest((0 - part.distances if similarity else part.distances).tolist())
    found = MatchedVectors(one, part.whole, part.best.tolist(), scores)
    if part.example is not None:
        found.example = part.example
    if part.members is not None:
        found.pooled_best = part.members.whole.tolist()
        found.pooled_parts = [places.tolist() for places in part.members.best]
    return found


_LACKING = (
    "{} of {} segments are compared row by row: their graph, codes or lists were damaged, and are "
    "being made anew"
)


_UNHEEDED = (
    "hnsw_ef is less than {} of {} segments were found to need for the recall that is wanted: "
    "without it they are searched as they need it"
)


def warn_of_damage(warnings: Warnings, collection: Collection, findings: Iterable[str]) -> None:
    """Say in a reply, and of its collection, which damaged points were left out."""
    for finding in findings:
        warnings.add("damage", f"left out: {finding}")
        collection.met_damage(finding)


def warn_of_reach(warnings: Warnings, collection: Collection, stats: SearchStats) -> None:
    """Add what a search could not reach, use or read to the warnings of its reply."""
    warn_of_damage(warnings, collection, stats.damaged)
    if stats.unheeded:
        warnings.add("recall", _UNHEEDED.format(stats.unheeded, stats.segments))
    if stats.lacking:
        warnings.add("damage", _LACKING.format(stats.lacking, stats.segments))
    if stats.out_of_reach:
        for one in most_out_of_reach(stats):
            warnings.add("out_of_reach", describe_reach(one))


def most_out_of_reach(stats: SearchStats) -> list[OutOfReach]:
    """Return what was not searched: by versions, the most that any level of a query missed."""
    most: dict[tuple[str, str, str], OutOfReach] = {}
    for one in stats.out_of_reach:
        known = most.get(one[:3])
        if known is None or known.points < one.points:
            most[one[:3]] = one
    return list(most.values())


def describe_reach(one: OutOfReach) -> str:
    """Return a text that says what is out of reach, and what brings it back."""
    of = f" of vector {one.vector!r}" if one.vector else ""
    fit = help_of(FitAdapter(one.vector, one.rows, one.queries))
    return (
        f"{one.points} points hold only version {one.rows!r}{of} and are out of reach of queries "
        f"of version {one.queries!r}, as {_why(one)}: {fit}, or write their vectors of version "
        f"{one.queries!r}"
    )


def _why(one: OutOfReach) -> str:
    if one.damage is None:
        return "no adapter leads to them"
    return f"the adapter that led to them cannot be read ({one.damage})"
