"""Kinds of queries on the wire: an object of one kind each, or a bare vector or id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from palimpsest.app.errors import format_error, out_of_range, unsupported
from palimpsest.app.schemas.faults import is_inference
from palimpsest.app.schemas.formulas import AnyExpression, to_formula
from palimpsest.app.schemas.searches import between
from palimpsest.app.schemas.targets import AnyTarget, to_target
from palimpsest.app.schemas.versioned import VersionsBody, to_versions
from palimpsest.app.spelling import ABSENT, SPARSE
from palimpsest.index import parse_datetime, parse_path, queries


class MmrBody(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs of maximal marginal relevance."""

    diversity: float | None = None
    candidates_limit: int | None = None


class NearestBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"nearest": ...}``."""

    nearest: AnyTarget
    mmr: MmrBody | None = None


class RecommendInput(msgspec.Struct, forbid_unknown_fields=True):
    """Examples, and how scores are made of them."""

    positive: list[AnyTarget] | None = None
    negative: list[AnyTarget] | None = None
    strategy: queries.Strategy | None = None


class RecommendBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"recommend": ...}``."""

    recommend: RecommendInput


class PairBody(msgspec.Struct, forbid_unknown_fields=True):
    """Two examples that a good point lies between, closer to the positive one."""

    positive: AnyTarget
    negative: AnyTarget


class DiscoverInput(msgspec.Struct, forbid_unknown_fields=True):
    """A target and pairs."""

    target: AnyTarget
    context: list[PairBody] | PairBody | None = None


class DiscoverBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"discover": ...}``."""

    discover: DiscoverInput


class ContextBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"context": ...}``."""

    context: list[PairBody] | PairBody | None


class OrderByInput(msgspec.Struct, forbid_unknown_fields=True):
    """A payload key, and from where on."""

    key: str
    direction: Literal["asc", "desc"] | None = None
    start_from: int | float | str | None = None


class OrderByBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"order_by": ...}``."""

    order_by: str | OrderByInput


class FusionBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"fusion": ...}``."""

    fusion: Literal["rrf", "dbsf"]


class RrfInput(msgspec.Struct, forbid_unknown_fields=True):
    """Constant and weights of reciprocal rank fusion."""

    k: int | None = None
    weights: list[float] | None = None


class RrfBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"rrf": ...}``."""

    rrf: RrfInput


class FormulaBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"formula": ...}``."""

    formula: AnyExpression
    defaults: dict[str, Any] | None = None


class SampleBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"sample": ...}``."""

    sample: Literal["random"]


class ExampleBody(msgspec.Struct, forbid_unknown_fields=True):
    """A scored example."""

    example: AnyTarget
    score: float


class NaiveInput(msgspec.Struct, forbid_unknown_fields=True):
    """Coefficients of the naive strategy."""

    a: float
    b: float
    c: float


class NaiveBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"naive": ...}``."""

    naive: NaiveInput


class FeedbackInput(msgspec.Struct, forbid_unknown_fields=True):
    """A target, scored examples, and how they are used."""

    target: AnyTarget
    feedback: list[ExampleBody]
    strategy: NaiveBody


class FeedbackBody(msgspec.Struct, forbid_unknown_fields=True):
    """``{"relevance_feedback": ...}``."""

    relevance_feedback: FeedbackInput


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def to_kind(text: bytes) -> queries.Query | None:
    """Return the query of a level, None when it has none.

    Raises:
        Refusal: it is unsupported, out of range, or of the wrong shape.
        InvalidInput: a vector, an id or a path cannot be read.
    """
    if text in ABSENT:
        return None
    # The most frequent form by far, and the quickest to tell.
    if text[:1] != b"{":
        return queries.Nearest(to_target(text))
    fields = _OBJECT.decode(text).keys()
    for kind in fields:
        known = _KINDS.get(kind)
        # By the first known name: all its other fields are then read by the decoder of that kind,
        # which refuses what does not belong there.
        if known is not None:
            decoder, read = known
            query: queries.Query = read(decoder.decode(text))
            return query
    if fields >= SPARSE or is_inference(fields):
        return queries.Nearest(to_target(text))
    if "text" in fields:
        raise unsupported("query.text")
    raise format_error(
        f"query: expected a vector, an id or an object with one of {', '.join(_KINDS)}, "
        f"got the fields {', '.join(sorted(fields)) or 'none'}"
    )


def _nearest(body: NearestBody) -> queries.Nearest:
    target = to_target(bytes(body.nearest), "query.nearest")
    if body.mmr is None:
        return queries.Nearest(target)
    diversity = body.mmr.diversity
    if diversity is None:
        diversity = queries.DEFAULT_DIVERSITY
    if not 0 <= diversity <= 1:
        raise out_of_range("query.mmr.diversity", f"value {diversity} invalid, must be 0.0 to 1.0")
    candidates = body.mmr.candidates_limit
    if candidates is not None:
        between("query.mmr.candidates_limit", candidates, 0, queries.MAX_MMR_CANDIDATES, 0)
    return queries.Nearest(target, queries.Mmr(diversity, candidates))


def _recommend(body: RecommendBody) -> queries.Recommend:
    given = body.recommend
    if not (given.positive or given.negative):
        raise out_of_range(
            "query.recommend", "At least one positive or negative vector/id must be provided"
        )
    return queries.Recommend(
        tuple(to_target(bytes(each), "query.recommend") for each in given.positive or ()),
        tuple(to_target(bytes(each), "query.recommend") for each in given.negative or ()),
        given.strategy or "average_vector",
    )


def _pairs(body: list[PairBody] | PairBody | None, where: str) -> tuple[queries.Pair, ...]:
    pairs = [body] if isinstance(body, PairBody) else body or ()
    return tuple(
        queries.Pair(to_target(bytes(each.positive), where), to_target(bytes(each.negative), where))
        for each in pairs
    )


def _discover(body: DiscoverBody) -> queries.Discover:
    target = to_target(bytes(body.discover.target), "query.discover.target")
    return queries.Discover(target, _pairs(body.discover.context, "query.discover.context"))


def _context(body: ContextBody) -> queries.Context:
    return queries.Context(_pairs(body.context, "query.context"))


def to_order(given: str | OrderByInput) -> queries.OrderBy:
    """Return an order of points. Raises Refusal for a start that is no date, or InvalidInput."""
    if isinstance(given, str):
        return queries.OrderBy(parse_path(given))
    start = given.start_from
    if isinstance(start, str):
        moment = parse_datetime(start)
        if moment is None:
            raise format_error(
                f"order_by.start_from: expected a number or a date, got {start!r:.60}"
            )
        start = moment
    return queries.OrderBy(parse_path(given.key), given.direction == "desc", start)


def _rrf(body: RrfBody) -> queries.Fusion:
    k = between("query.rrf.k", body.rrf.k, 1, 2**32 - 1, queries.DEFAULT_RRF_K)
    weights = body.rrf.weights
    return queries.Fusion("rrf", k, None if weights is None else tuple(weights))


def _feedback(body: FeedbackBody) -> queries.Feedback:
    given, naive = body.relevance_feedback, body.relevance_feedback.strategy.naive
    if naive.b < 0:
        raise out_of_range("query.relevance_feedback.strategy.naive.b", "must be 0.0 or larger")
    where = "query.relevance_feedback"
    examples = tuple((to_target(bytes(e.example), where), e.score) for e in given.feedback)
    return queries.Feedback(
        to_target(bytes(given.target), where), examples, naive.a, naive.b, naive.c
    )


_KINDS: Mapping[str, tuple[msgspec.json.Decoder[Any], Callable[[Any], queries.Query]]] = {
    "nearest": (msgspec.json.Decoder(NearestBody), _nearest),
    "recommend": (msgspec.json.Decoder(RecommendBody), _recommend),
    "discover": (msgspec.json.Decoder(DiscoverBody), _discover),
    "context": (msgspec.json.Decoder(ContextBody), _context),
    "order_by": (msgspec.json.Decoder(OrderByBody), lambda body: to_order(body.order_by)),
    "fusion": (msgspec.json.Decoder(FusionBody), lambda body: queries.Fusion(body.fusion)),
    "rrf": (msgspec.json.Decoder(RrfBody), _rrf),
    "formula": (
        msgspec.json.Decoder(FormulaBody),
        lambda body: to_formula(body.formula, body.defaults),
    ),
    "sample": (msgspec.json.Decoder(SampleBody), lambda body: queries.Sample()),
    "relevance_feedback": (msgspec.json.Decoder(FeedbackBody), _feedback),
    "versions": (
        msgspec.json.Decoder(VersionsBody),
        lambda body: queries.Nearest(to_versions(body)),
    ),
}
BODIES: Mapping[str, Any] = {kind: decoder.type for kind, (decoder, _) in _KINDS.items()}
