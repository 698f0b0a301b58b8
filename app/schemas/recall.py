"""How much searches find, on the wire: what is to be measured, and what was."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from palimpsest.app.errors import format_error, parameter_error, wrong_input
from palimpsest.app.schemas.documents import AnyFilter, ref
from palimpsest.app.schemas.parameters import SHARED, refuse_repeated
from palimpsest.app.schemas.query import as_declared
from palimpsest.app.schemas.searches import (
    NO_PARAMS,
    NO_QUANTIZATION,
    ParamsBody,
    between,
    check_params,
    to_filter,
)
from palimpsest.app.schemas.targets import to_target
from palimpsest.index import (
    DEFAULT_RECALL_K,
    DEFAULT_RECALL_QUERIES,
    MAX_RECALL_K,
    MAX_RECALL_QUERIES,
    CollectionConfig,
    FoundShare,
    MeasuredRecall,
    PointVector,
    RecallRequest,
    UnknownVectorName,
)

_OWN = ("num", "top_k", "using")
_DIGITS = 4  # of shares: samples tell no more

AnyAsked: TypeAlias = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=ref("Target"))]


class RecallBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST recall``: of ``params`` those that say how hard searches try."""

    num: int | None = None
    top_k: int | None = None
    using: str | None = None
    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    queries: list[AnyAsked] | None = None
    params: ParamsBody | None = None


class RecallOfQueries(msgspec.Struct):
    """What some queries found.

    ``recall`` is their mean, between ``low`` and ``high`` by a 95 % interval; ``worst`` the mean of
    the worst twentieth of them.
    """

    queries: int
    recall: float
    low: float
    high: float
    worst: float


class EffortReport(msgspec.Struct):
    """The largest ef that searches take as they are planned, or as ``params`` say.

    ``needed`` is the least ``hnsw_ef`` of those tried that finds as much as wanted, null where none
    does or time was over.
    """

    planned: int
    needed: int | None


class DimensionReport(msgspec.Struct):
    """Local intrinsic dimension at the queries: the higher, the less a graph finds."""

    mean: float
    median: float


class GraphReport(msgspec.Struct):
    """Rows in graphs, and how many of them no walk meets."""

    rows: int
    unreached: int


class RecallReport(msgspec.Struct):
    """Which share of the ``top_k`` closest points searches find.

    ``found`` is of all queries, null where there were none; ``rows`` of those made of stored rows,
    ``recent`` of those asked of late, ``given`` of the request's own. Searches that are ``exact``
    miss nothing, and are not asked. ``complete`` is false where time was over before all was
    measured; what there is of ``found`` is a sample all the same.
    """

    top_k: int
    wanted: float
    exact: bool
    found: RecallOfQueries | None
    rows: RecallOfQueries | None
    recent: RecallOfQueries | None
    given: RecallOfQueries | None
    ef: EffortReport | None
    lid: DimensionReport | None
    graph: GraphReport | None
    complete: bool


def parse_recall(query_string: bytes) -> RecallRequest:
    """Return what a query string asks to be measured. Raises Refusal."""
    text = query_string.decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True)
    names = [name for name, _ in pairs]
    for name in names:
        if name not in (*_OWN, *SHARED):
            raise parameter_error(
                f"unknown field `{name}`: expected {', '.join((*_OWN, *SHARED))}; filters and "
                "queries come in a body, by POST"
            )
    refuse_repeated(names)
    given = dict(pairs)
    return RecallRequest(
        vector_name=given.get("using", ""),
        num=_between("num", _number("num", given.get("num")), MAX_RECALL_QUERIES),
        k=_between("top_k", _number("top_k", given.get("top_k")), MAX_RECALL_K),
    )


def to_recall(body: RecallBody, config: CollectionConfig) -> RecallRequest:
    """Return what a body asks to be measured.

    Raises:
        Refusal: a number is out of range, or a query or a parameter makes no sense here.
        InvalidInput: a vector cannot be read, or the name is not declared.
    """
    params, name = body.params or NO_PARAMS, body.using or ""
    codes = params.quantization or NO_QUANTIZATION
    check_params(params, codes)
    for what, said in (("exact", params.exact), ("quantization.ignore", codes.ignore)):
        if said:
            raise wrong_input(f"`params.{what}`: exact searches miss nothing, leave it out")
    if params.idf is not None:
        raise wrong_input("`params.idf` is about sparse vectors, whose searches miss nothing")
    return RecallRequest(
        vector_name=name,
        filter=to_filter(body.filter),
        num=_between("num", body.num, MAX_RECALL_QUERIES),
        k=_between("top_k", body.top_k, MAX_RECALL_K),
        given=_given(body.queries or (), name, config),
        ef=params.hnsw_ef,
        rescore=codes.rescore,
        oversampling=codes.oversampling,
    )


def to_report(found: MeasuredRecall, request: RecallRequest) -> RecallReport:
    """Return what was measured, as it is sent."""
    of = found.origins or {}
    return RecallReport(
        top_k=request.k,
        wanted=found.wanted,
        exact=found.exact,
        found=_share(found.every),
        rows=_share(of.get("rows")),
        recent=_share(of.get("recent")),
        given=_share(of.get("given")),
        ef=None if found.ef is None else EffortReport(found.ef, found.needed),
        lid=None if found.dimension is None else DimensionReport(*_rounded(*found.dimension)),
        graph=None if found.reach is None else GraphReport(*found.reach),
        complete=found.whole,
    )


_DEFAULTS = {"num": DEFAULT_RECALL_QUERIES, "top_k": DEFAULT_RECALL_K}


def _between(what: Literal["num", "top_k"], given: int | None, most: int) -> int:
    return between(what, given, 1, most, _DEFAULTS[what])


def _number(what: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise parameter_error(f"{what}: expected a whole number, got {text!r}")
    return int(text)


def _given(
    texts: list[msgspec.Raw] | tuple[()], name: str, config: CollectionConfig
) -> list[PointVector]:
    declared = config.find(name)
    if declared is None:
        raise UnknownVectorName(name, list(config.vectors))
    if len(texts) > MAX_RECALL_QUERIES:
        raise wrong_input(f"queries: expected at most {MAX_RECALL_QUERIES}, got {len(texts)}")
    found: list[PointVector] = []
    for place, text in enumerate(texts):
        where = f"queries[{place}]"
        target = as_declared(to_target(bytes(text), where), name, declared)
        if isinstance(target, int | UUID):
            raise format_error(f"{where}: expected a vector, got the id of a point")
        found.append(target)
    return found


def _share(found: FoundShare | None) -> RecallOfQueries | None:
    if found is None:
        return None
    recall, (low, high), worst, queries = found
    return RecallOfQueries(queries, *_rounded(recall, low, high, worst))


def _rounded(*shares: float) -> list[float]:
    return [round(share, _DIGITS) for share in shares]
