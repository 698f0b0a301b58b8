"""Queries on the wire: bodies to the trees of ``index.queries``. Prefetches nest."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from palimpsest.app.errors import format_error, wrong_input
from palimpsest.app.schemas.kinds import to_kind
from palimpsest.app.schemas.points import refuse_clauses
from palimpsest.app.schemas.searches import (
    MAX_COUNT,
    GroupsBody,
    LevelBody,
    QueryBody,
    WithLookupBody,
    between,
    limit_of,
    offset_of,
    to_filter,
    to_lookup,
    to_params,
)
from palimpsest.app.schemas.selectors import PayloadSelector, select_vectors
from palimpsest.app.spelling import ABSENT
from palimpsest.index import parse_path, queries

MAX_DEPTH = 32  # of prefetches in prefetches
MAX_PREFETCHES = 1_000  # of one request

_GROUPS = msgspec.json.Decoder(GroupsBody)
_LEVEL = msgspec.json.Decoder(LevelBody)
_LEVELS = msgspec.json.Decoder(list[LevelBody])


def to_tree(
    body: QueryBody, query: queries.Query | None = None
) -> tuple[queries.QueryRequest, PayloadSelector]:
    """Return the tree a body asks for, and how payloads are cut.

    Args:
        body: whose ``query`` is not read when one is given.
        query: of the root.

    Raises:
        Refusal: a clause is unsupported, out of range, or of the wrong shape.
        InvalidInput: a vector, an id or a path cannot be read.
    """
    select = PayloadSelector(body.with_payload, default=False)
    root = _level(body, limit_of(body), _Budget(), query)
    vectors = select_vectors(body.with_vector)
    return queries.QueryRequest(root, offset_of(body), select.wanted, vectors), select


class Grouped(NamedTuple):
    """A grouped tree, how payloads are cut, and where a point of each group is looked up."""

    request: queries.GroupRequest
    select: PayloadSelector
    lookup: WithLookupBody | None


def decode_groups(text: bytes) -> Grouped:
    """Return the grouped tree that the text of a body asks for; raises as ``to_tree`` does."""
    return to_groups(_GROUPS.decode(text))


def to_groups(body: GroupsBody, query: queries.Query | None = None) -> Grouped:
    """Return the grouped tree a body asks for; takes and raises what ``to_tree`` does."""
    refuse_clauses(body, "shard_key")
    select = PayloadSelector(body.with_payload, default=False)
    size = between("group_size", body.group_size, 1, MAX_COUNT, queries.DEFAULT_GROUP_SIZE)
    root = _level(body, limit_of(body), _Budget(), query)
    path, vectors = parse_path(body.group_by), select_vectors(body.with_vector)
    request = queries.GroupRequest(root, path, size, select.wanted, vectors)
    lookup = body.with_lookup
    if isinstance(lookup, str):
        lookup = WithLookupBody(lookup)
    return Grouped(request, select, lookup)


class _Budget:
    """How many prefetches one request may still hold."""

    def __init__(self) -> None:
        self.left = MAX_PREFETCHES

    def take(self, levels: int) -> None:
        """Raises Refusal when a request holds too many."""
        self.left -= levels
        if self.left < 0:
            raise wrong_input(f"prefetch: expected at most {MAX_PREFETCHES} in one request")


def _level(
    body: LevelBody,
    limit: int,
    budget: _Budget,
    query: queries.Query | None = None,
    depth: int = 0,
) -> queries.Prefetch:
    if depth > MAX_DEPTH:
        raise format_error(f"prefetch: nested too deeply, expected at most {MAX_DEPTH} levels")
    below = _prefetches(bytes(body.prefetch))
    # Counted over the whole request: a tree of 32 levels could else have more leaves than anyone
    # can count.
    budget.take(len(below))
    return queries.Prefetch(
        query=query or to_kind(bytes(body.query)),
        using=body.using or "",
        filter=to_filter(body.filter),
        params=to_params(body.params),
        threshold=body.score_threshold,
        limit=limit,
        lookup=to_lookup(body.lookup_from),
        prefetches=tuple(_level(each, limit_of(each), budget, depth=depth + 1) for each in below),
    )


def _prefetches(text: bytes) -> list[LevelBody]:
    if text in ABSENT:
        return []
    return [_LEVEL.decode(text)] if text[:1] == b"{" else _LEVELS.decode(text)
