"""What a search request means once every default is resolved."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from palimpsest.index.config.vectors import MAX_EF, MAX_POINTS, Encoding, VectorConfig
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.filters.expression import Filter
from palimpsest.index.search.scan_or_walk import SCANNED_PER_EF_FEW, SCANNED_PER_EF_WIDE
from palimpsest.index.segments.effort import PLANNED, Effort
from palimpsest.index.types import BridgeMode, Distance, PointId, PointVector, VersionedQuery

# Candidates the graph walk keeps, and candidates rescored per wanted result, by encoding: measured
# so that recall@10 without parameters is at least 0.98 on text embeddings of 384 dimensions.
DEFAULT_EF: dict[Encoding, int] = {"float32": 128, "8": 128, "4": 128, "2": 160, "1": 256}
DEFAULT_OVERSAMPLING: dict[Encoding, float] = {
    "float32": 1.0,
    "8": 1.5,
    "4": 3.0,
    "2": 6.0,
    "1": 16.0,
}
MIN_RESCORED = 16  # fewer candidates are too few to be sure of the first
MAX_OVERSAMPLING = 1_000.0
# Candidates per result, at least; and where pages follow, for what the first one misses shifts them
# all (48,000 text embeddings: a list of 50 lacks .46 points at 4 candidates each, .11 at 8).
_WALKED = 4
_PAGED = 8
_KEPT, _KEPT_FEW = 4, 256  # candidates of a scan per unit of a caller's ef
_STEP = 4  # from one effort of later pages to the next

# Times ef in segments of more rows: of 600,000 texts and noisy copies, .972 of the ten nearest are
# found by an ef of 128 and .994 by one of 192, while the 48,000 texts alone have .993 by 128.
_LARGE, _GROWTH = 131_072, 0.3


class SearchRequest(NamedTuple):
    """What a caller asks; None means "the default", resolved once by ``resolve``.

    ``query`` is a vector (dense (d,) or sparse) or the id of a stored point, which is then left out
    of the answer. ``paged`` says that the answer is a page of a longer one, as an offset does;
    ``averaged`` that the vector was made of several. ``max_distance`` is inclusive. Points that
    hold only other versions of the vector are found by adapters unless ``bridge`` is off; with
    require, all of them must be. ``every_row`` is as exact, but looks at the codes of all rows
    first and reads originals only where those leave it open. What the server asks itself is not
    ``noted`` among what was asked of late.
    """

    query: PointVector | PointId | VersionedQuery
    vector_name: str = ""
    k: int = 10
    offset: int = 0
    ef: int | None = None
    exact: bool = False
    rescore: bool | None = None
    oversampling: float | None = None
    ignore_codes: bool = False
    max_distance: float | None = None
    with_payload: bool = False
    with_vectors: bool | tuple[str, ...] = False
    filter: Filter | None = None
    bridge: BridgeMode = "on"
    paged: bool = False
    averaged: bool = False
    every_row: bool = False
    noted: bool = True


class SearchPlan(NamedTuple):
    """``fetch`` results are found in every part, then merged, then ``offset`` are dropped.

    A walk keeps ``ef`` candidates, of which up to ``rescored`` are compared again. Parts of up to
    ``scanned`` rows, of which the filter lets as many through, are not walked: their codes are
    scanned. ``surely``: what is found does not depend on how much is fetched, so that pages fit
    together; every candidate of a walk is rescored then, and as many as ``kept`` of a scan. A
    caller's own ef stands ``instead`` of the default, which is 0 where there is none.
    More is looked at while it is open whether the first ``sure`` are right, 0: never. ``noted`` is
    that of the request.
    """

    fetch: int
    k: int
    offset: int
    ef: int
    rescored: int
    exact: bool
    max_distance: float | None
    scanned: int = 0
    surely: bool = False
    kept: int = 0
    instead: int = 0
    sure: int = 0
    noted: bool = True

    @property
    def depth(self) -> int:
        """How long lists are that are merged by what they hold: the same for all pages."""
        return max(self.ef, self.fetch) if self.surely else self.fetch

    def at(self, effort: Effort, rows: int) -> SearchPlan:
        """Return the plan for a segment of so many rows whose searches are to try so hard.

        A caller's own ef is the whole effort, and stays it; so do codes alone where originals are
        not to be looked at, and there is no more than all rows.
        """
        if self.instead or self.scanned == MAX_POINTS or (effort == PLANNED and rows <= _LARGE):
            return self
        large = max(1.0, (rows / _LARGE) ** _GROWTH)
        if effort.scan:
            return self._replace(exact=True) if self.rescored else self._replace(scanned=MAX_POINTS)
        rescored = int(effort.rescoring * self.rescored)
        kept = int(effort.rescoring * self.kept)
        ef = min(max(int(large * effort.ef * self.ef), rescored), MAX_EF)
        scanned = self.scanned if ef == self.ef else max(self.scanned, SCANNED_PER_EF_WIDE * ef)
        return self._replace(ef=ef, rescored=min(rescored, ef), kept=kept, scanned=scanned)

    def falls_short(self, effort: Effort) -> bool:
        """Tell whether a caller's own ef is less than the searches of a segment need."""
        if effort == PLANNED or not self.instead:
            return False
        return effort.scan or self.ef < effort.ef * self.instead

    def wider(self, times: float) -> SearchPlan:
        """Return the plan at so many times its ef, as of a page that follows others."""
        ef = min(int(times * self.ef), MAX_EF)
        return self._replace(ef=ef, scanned=SCANNED_PER_EF_WIDE * ef, surely=True, kept=ef)


class Page(NamedTuple):
    """``fetch`` results are found; ``k`` of those within ``max_distance``, after ``offset``."""

    fetch: int
    k: int
    offset: int
    max_distance: float | None


def page(request: SearchRequest, *, without: int = 0) -> Page:
    """Return which results are the answer, whatever kind of vector is searched.

    ``without`` results will be dropped besides the offset. Raises InvalidConfig.
    """
    k, offset = request.k, request.offset
    if k < 1:
        raise InvalidConfig(f"k: expected at least 1, got {k}")
    if offset < 0:
        raise InvalidConfig(f"offset: expected at least 0, got {offset}")
    return Page(min(k + offset, MAX_POINTS) + without, k, offset, request.max_distance)


def resolve(request: SearchRequest, config: VectorConfig, *, without: int = 0) -> SearchPlan:
    """Return the plan; ``without`` results will be dropped besides the offset.

    A caller's ef is the whole effort: all pages within it are cut from one list. Without one, a
    first page takes the least effort that serves it, and the pages after it efforts that rise in
    few steps, for only at a step do two pages come from different lists.

    Raises:
        InvalidConfig: a parameter is out of range.
    """
    return _resolved(request, config, page(request, without=without))


def plan_of_list(request: SearchRequest, config: VectorConfig, count: int) -> SearchPlan:
    """Return how the ``count`` closest rows are found, of which the answer is a page or a part."""
    return _resolved(request, config, Page(count, count, 0, None))


class _Settings(NamedTuple):
    """What else of a request and of the name it asks decides about a plan."""

    encoding: Encoding
    ef: int | None
    rescore: bool | None
    oversampling: float | None
    exact: bool
    paged: bool
    every_row: bool
    noted: bool


def _resolved(request: SearchRequest, config: VectorConfig, of: Page) -> SearchPlan:
    exact = request.exact or request.ignore_codes or config.distance is Distance.MANHATTAN
    paged = request.offset > 0 or request.paged
    effort = request.ef, request.rescore, request.oversampling
    own = request.every_row, request.noted
    return _planned(of, _Settings(config.encoding, *effort, exact, paged, *own))


@lru_cache(maxsize=1_024)  # requests are of few kinds, and a mixed search makes three plans
def _planned(of: Page, given: _Settings) -> SearchPlan:
    fetch, k, offset, max_distance = of
    encoding, asked, rescore, oversampling, exact, paged, every_row, noted = given
    least = DEFAULT_EF[encoding]
    ef = least if asked is None else asked
    if not 1 <= ef <= MAX_EF:
        raise InvalidConfig(f"ef: expected 1 to {MAX_EF}, got {ef}")
    rescored = rescored_of(fetch, rescore, oversampling, DEFAULT_OVERSAMPLING[encoding])
    if asked is None:
        ef = max(ef, rescored, _WALKED * fetch)
        if paged:
            ef = rung(max(ef, _PAGED * fetch, least + 1), least)
    ef = max(ef, fetch)
    surely = paged or asked is not None
    is_limited = asked is not None or oversampling is not None or not rescored
    few = (SCANNED_PER_EF_WIDE if surely or ef > least else SCANNED_PER_EF_FEW) * ef
    return SearchPlan(
        fetch,
        k,
        offset,
        ef,
        min(rescored, ef),
        exact,
        max_distance,
        MAX_POINTS if every_row else few,
        surely,
        ef if asked is None else _kept(ef, encoding),
        0 if asked is None else least,
        0 if is_limited else -(-ef // _PAGED) if paged else fetch,
        noted,
    )


def _kept(ef: int, encoding: Encoding) -> int:
    """Return how many candidates of a scan are rescored so that the last of ef results is found."""
    if encoding in ("1", "2"):
        return _KEPT * ef
    return max(_KEPT // 2 * ef, min(_KEPT * ef, _KEPT_FEW))


def rung(wanted: int, least: int) -> int:
    """Return the first of ``least`` times 1, 4, 16, ... that is not below what is wanted."""
    while least < wanted:
        least *= _STEP
    return least


def rescored_of(
    fetch: int, rescore: bool | None, oversampling: float | None, default: float
) -> int:
    """Return how many candidates are compared again to find ``fetch``, 0 for none.

    ``default`` is the oversampling of a caller who gives none. Raises InvalidConfig.
    """
    if rescore is False:
        return 0
    if oversampling is None:
        oversampling = default
    elif not 1 <= oversampling <= MAX_OVERSAMPLING:
        raise InvalidConfig(f"oversampling: expected 1 to {MAX_OVERSAMPLING}, got {oversampling}")
    return max(MIN_RESCORED, int(fetch * oversampling))
