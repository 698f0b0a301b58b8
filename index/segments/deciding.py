"""Decides how hard a segment's searches try, by what a probe of each effort finds.

The efforts are tried in the order of what they cost users, and the first that holds is taken: more
candidates of a walk, then more of them rescored, then codes of up to ``MORE_BITS`` more bits a
dimension, then a scan. Codes that were asked for by name are kept as they are, and so are those
that tell neighbours apart: more bits would find no more. Where less recall is wanted than by
default, and the planned effort holds it, lighter ones are tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from palimpsest.index.config.vectors import DEFAULT_RECALL
from palimpsest.index.segments.effort import PLANNED, Effort
from palimpsest.index.segments.probe import Exact, Find, ProbeSample, Recall

# What is demanded and tried; a segment that fell short under an earlier number is tried again.
RULE = 1
WANTED = DEFAULT_RECALL  # mean recall@10, unless the vector name says another
_SLACK = 0.5  # standard errors
WORST_WANTED = 0.5  # of the worst twentieth of the queries
MORE_BITS = 4
BITS = (1, 2, 4, 8)
WIDER = Effort(2)
_WALKS = (WIDER, Effort(4), Effort(4, 4))
_LIGHTER = (Effort(0.5), Effort(0.25))
_DEEPEST = Effort(8, 8)
_RESCORED = (Effort(1, 4), Effort(1, 16))  # where nothing is walked
_SCAN = Effort(scan=True)
_CLEAR = 4.0  # resolution from which codes and rescoring tell neighbours apart

Decision: TypeAlias = Literal["planned", "ef", "rescoring", "bits", "scan", "short"]
UNPROBED = "unprobed"  # where nothing was decided: segments of earlier releases, or of few rows
DECISIONS: tuple[str, ...] = (*get_args(Decision), UNPROBED)


class Probed(NamedTuple):
    """What a probe found and decided of one segment; stands in its description.

    ``planned`` is the recall as searches are planned, ``recall`` that of what was decided; both
    over ``queries`` queries, of which ``recent`` were users' own. ``resolution`` is None without
    codes. ``fixed`` codes were asked for by name. ``usual`` is the distance up to which plain walks
    are trusted (``trust``), None where none are. ``wanted`` is the recall that was to be held.
    """

    rule: int
    decision: Decision
    planned: Recall
    recall: Recall
    queries: int
    recent: int
    resolution: float | None
    fixed: bool
    usual: float | None = None
    wanted: float = WANTED

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` takes."""
        return {
            **self._asdict(),
            "planned": list(self.planned),
            "recall": list(self.recall),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Probed | None:
        """Return what a segment's description states; None where it was written without a probe."""
        if stored is None:
            return None
        # Earlier releases stated none of those that have a default.
        known = {
            name: stored[name]
            for name in cls._fields
            if name in stored or name not in cls._field_defaults
        }
        planned, recall = Recall(*stored["planned"]), Recall(*stored["recall"])
        return cls(**{**known, "planned": planned, "recall": recall})


class Means(NamedTuple):
    """What can be tried on a segment: ``with_bits`` gives searches of codes of so many bits.

    ``bits`` is 0 without codes; ``resolution`` then None. ``walked``: there is a graph.
    """

    bits: int
    walked: bool
    keeps_originals: bool
    fixed: bool
    resolution: float | None
    with_bits: Callable[[int], Callable[[Effort], Find]]
    renewed: bool = False  # its codes are those of a segment before, and stay as they are


class Decided(NamedTuple):
    """An effort, the bits of the codes it needs, and why."""

    effort: Effort
    bits: int
    probed: Probed


class _Tried(NamedTuple):
    effort: Effort
    bits: int
    recall: Recall
    holds: bool


def decide(sample: ProbeSample, means: Means) -> Decided:
    """Return the first effort that holds; of none that does the best, which is cheapest at it."""
    planned: _Tried | None = None
    best: _Tried | None = None
    for effort, bits in _ladder(means):
        one = _try(sample, means.with_bits(bits)(effort), effort, bits)
        planned = planned or one
        if best is None or one.holds or one.recall > best.recall:
            best = one
        if one.holds:
            break
    assert planned is not None and best is not None
    if best is planned and best.holds and means.walked:
        best = _lightest(sample, means, best)
    probed = Probed(
        rule=RULE,
        decision=_name(best, means.bits),
        planned=planned.recall,
        recall=best.recall,
        queries=len(sample.queries),
        recent=sample.recent,
        resolution=means.resolution,
        fixed=means.fixed,
        wanted=sample.wanted,
    )
    return Decided(best.effort, best.bits, probed)


def _lightest(sample: ProbeSample, means: Means, planned: _Tried) -> _Tried:
    """Return the least effort that holds, of the planned one and, if less is wanted, lighter ones.

    Of the default they are not tried: samples are too few to tell half an effort that just holds
    from one that does not.
    """
    best = planned
    for effort in _LIGHTER if sample.wanted < WANTED else ():
        one = _try(sample, means.with_bits(means.bits)(effort), effort, means.bits)
        if not one.holds:
            break
        best = one
    return best


def widened(decided: Decided, recall: Recall) -> Decided:
    """Return it with searches of twice as many candidates, which find so much."""
    named: Decision = "ef" if decided.probed.decision == "planned" else decided.probed.decision
    probed = decided.probed._replace(decision=named, recall=recall)
    return decided._replace(effort=WIDER, probed=probed)


def measured(sample: ProbeSample, find: Find, fixed: bool) -> Probed:
    """Return what a probe finds of a segment that is searched as it is: planned, or short."""
    recall, enough = holds(sample, find)
    decision: Decision = "planned" if enough else "short"
    asked = len(sample.queries), sample.recent
    return Probed(RULE, decision, recall, recall, *asked, None, fixed, wanted=sample.wanted)


def holds(sample: ProbeSample, find: Find) -> tuple[Recall, bool]:
    """Return the recall of one way to search, and whether it is as good as wanted.

    Rows and mixtures, moved rows and recent queries are judged apart, so that none hides behind
    another: rows have links of their own and are found best. Of the others, which are few, the
    mean may be half a standard error off: a few samples of queries that find 0.99 would fail else,
    and double the cost of searches that need no more.
    """
    each = sample.recalls(find)
    rows, moved, users = sample.split(each)
    wanted = sample.wanted
    enough = _is_enough(rows, wanted) and all(
        _is_enough(few, wanted - _SLACK * _standard_error(few)) for few in (moved, users)
    )
    return Recall.of(each), enough


def _standard_error(each: Exact) -> float:
    return float(each.std() / math.sqrt(len(each))) if len(each) else 0.0


def _is_enough(each: Exact, wanted: float) -> bool:
    if not len(each):
        return True
    recall = Recall.of(each)
    return recall.mean >= wanted and recall.worst >= WORST_WANTED


def _try(sample: ProbeSample, find: Find, effort: Effort, bits: int) -> _Tried:
    recall, enough = holds(sample, find)
    return _Tried(effort, bits, recall, enough)


def _ladder(means: Means) -> list[tuple[Effort, int]]:
    """Return what to try, cheapest first."""
    bits = means.bits
    rescored = bits > 0 and means.keeps_originals
    steps = [PLANNED]
    if means.walked:
        steps += [one for one in _WALKS if rescored or one.rescoring == 1]
    elif rescored:
        steps += _RESCORED
    tried = [(effort, bits) for effort in steps]
    more = _more(bits) if _may_be_finer(means) else []
    tried += [(effort, finer) for finer in more for effort in (PLANNED, steps[-1])]
    if means.walked:
        deepest = _DEEPEST if rescored else Effort(_DEEPEST.ef)
        tried += [(deepest, one) for one in (bits, *more)]
    scanned = bits if means.keeps_originals else max((bits, *more))
    return [*tried, (_SCAN, scanned)]


def _may_be_finer(means: Means) -> bool:
    """Tell whether more bits are allowed and may help: without originals they always do."""
    if means.fixed or means.renewed or means.resolution is None:
        return False
    return not means.keeps_originals or means.resolution < _CLEAR


def _more(bits: int) -> list[int]:
    """Return the sizes of codes to try, the smallest first."""
    return [one for one in BITS if bits < one <= bits + MORE_BITS]


def _name(tried: _Tried, bits: int) -> Decision:
    """Return what was decided, by the dearest part of it."""
    if not tried.holds:
        return "short"
    if tried.effort.scan:
        return "scan"
    if tried.bits > bits:
        return "bits"
    if tried.effort.rescoring > 1:
        return "rescoring"
    return "ef" if tried.effort.ef != 1 else "planned"
