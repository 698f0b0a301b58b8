"""What is asked of a fit, and what is shown of it while it runs and once it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from palimpsest.index.adapters.comparable import FEWEST
from palimpsest.index.adapters.fit_kinds import UNFITTED
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.kinds import Kind, Pairs
from palimpsest.index.errors import InvalidConfig, InvalidPairs
from palimpsest.index.types import Vectors

DEFAULT_HOLDOUT, MAX_HOLDOUT = 0.2, 0.5
DEFAULT_MAX_PAIRS, MAX_PAIRS = 5_000, 100_000

AskedKind: TypeAlias = Kind | Literal["auto"]


@dataclass(frozen=True, slots=True, eq=False)
class FitRequest:
    """What is to be fitted: from ``rows`` of one version to ``queries`` of another.

    ``pairs`` None stands for the points that hold both, of which ``max_pairs`` are drawn;
    ``holdout`` is the share that is measured on. ``query_pairs`` are queries in both versions,
    which are measured with in place of held-out points. The rest is as in ``FitOptions``.
    """

    rows: str
    queries: str
    vector: str = ""
    kind: AskedKind = "auto"
    pairs: Pairs | None = None
    query_pairs: Pairs | None = None
    matrix: Vectors | None = None
    anchors: Pairs | None = None
    shrinkage: float | None = None
    rank: int | None = None
    holdout: float = DEFAULT_HOLDOUT
    max_pairs: int = DEFAULT_MAX_PAIRS


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """An adapter, or one being fitted or damaged, whose report is empty.

    ``stage`` says what is done, or what is wrong; ``fitted_at`` is in seconds since the epoch.
    ``untried`` are dearer kinds that replace a fitted one if they are better; ``improving`` is how
    far trying them is.
    """

    vector: str
    rows: str
    queries: str
    kind: str
    state: Literal["fitting", "fitted", "damaged"]
    progress: float
    stage: str
    fitted_at: float | None
    pairs: int
    held_out: int
    report: Mapping[str, Any]
    untried: tuple[str, ...] = ()
    improving: Improving | None = None


class Improving(NamedTuple):
    """How far the trial of dearer kinds is: 0 to 1, and what is done."""

    progress: float
    stage: str


@dataclass(slots=True, eq=False)
class Running:
    """A fit under way."""

    request: FitRequest
    stage: str = "waiting"
    progress: float = 0.0
    pairs: int = 0
    held_out: int = 0


def check_request(request: FitRequest) -> None:
    """Raise InvalidConfig or InvalidPairs where the request can be of no use."""
    if request.rows == request.queries:
        raise InvalidConfig(
            f"rows and queries: expected two versions, got {request.rows!r} twice; queries of a "
            "version find its rows without an adapter"
        )
    if not 0 < request.holdout <= MAX_HOLDOUT:
        raise InvalidConfig(
            f"holdout: expected above 0, at most {MAX_HOLDOUT}, got {request.holdout}"
        )
    if not 1 <= request.max_pairs <= MAX_PAIRS:
        raise InvalidConfig(f"max_pairs: expected 1 to {MAX_PAIRS}, got {request.max_pairs}")
    if request.query_pairs is not None and len(request.query_pairs.rows) < FEWEST:
        raise InvalidPairs(
            f"query_pairs: at least {FEWEST} queries are needed to measure with, got "
            f"{len(request.query_pairs.rows)}: give more, or none to ask by held-out points"
        )


def is_repeatable(request: FitRequest) -> bool:
    """Tell whether points alone, and nothing the caller gave, make the same fit again."""
    given = (request.pairs, request.query_pairs, request.anchors, request.shrinkage, request.rank)
    return (
        request.kind not in UNFITTED
        and all(one is None for one in given)
        and request.holdout == DEFAULT_HOLDOUT
    )


def shown_fitted(
    vector: str, rows: str, queries: str, fitted: Fitted, improving: Improving | None = None
) -> AdapterInfo:
    """Return what is shown of a fitted adapter."""
    return AdapterInfo(
        vector=vector,
        rows=rows,
        queries=queries,
        kind=fitted.adapter.kind,
        state="fitted",
        progress=1.0,
        stage="",
        fitted_at=fitted.fitted_at,
        pairs=fitted.pairs,
        held_out=fitted.held_out,
        report=fitted.report,
        untried=fitted.untried,
        improving=improving,
    )


def shown_damaged(vector: str, rows: str, queries: str, why: str) -> AdapterInfo:
    """Return what is shown of an adapter that could not be read; its stage says why."""
    return AdapterInfo(
        vector=vector,
        rows=rows,
        queries=queries,
        kind="",
        state="damaged",
        progress=0.0,
        stage=why,
        fitted_at=None,
        pairs=0,
        held_out=0,
        report={},
    )


def shown_running(running: Running) -> AdapterInfo:
    """Return what is shown of a fit under way."""
    request = running.request
    return AdapterInfo(
        vector=request.vector,
        rows=request.rows,
        queries=request.queries,
        kind=request.kind,
        state="fitting",
        progress=running.progress,
        stage=running.stage,
        fitted_at=None,
        pairs=running.pairs,
        held_out=running.held_out,
        report={},
    )
