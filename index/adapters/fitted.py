"""A fitted adapter with all that belongs to it: its merge, its report, and its rows' factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from palimpsest.index.adapters.adapter import ESTIMATING
from palimpsest.index.adapters.comparable import Merge
from palimpsest.index.adapters.estimating import ScoreMap, Scores, converted, estimated, metrics_of
from palimpsest.index.adapters.factors import Factors, SetMeans
from palimpsest.index.adapters.kinds import Adapter, Kind, adapter_from_json
from palimpsest.index.adapters.sense import require_sense
from palimpsest.index.errors import Damaged, InvalidInput
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import open_folder, write_folder
from palimpsest.index.storage.reserve import Admitted, anything
from palimpsest.index.types import Distance, Numbers, Vectors

KIND = "adapter"
_POINTS = "fitted_points"

# What is compared through an adapter: the vectors of either version; of one whose points have sets,
# and the other has one vector a point, the means of these sets (``rows``, ``queries``); of two
# versions of sets each of their vectors, the tokens.
Over: TypeAlias = Literal["vectors", "means of rows", "means of queries", "tokens"]


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """An adapter between two versions, as it was fitted once.

    ``asked`` is the kind that was asked for, ``auto`` perhaps; ``from_points`` tells whether its
    pairs were points that hold both versions, so that it is fitted again, with at most
    ``max_pairs``, when those have doubled. ``fitted_at`` is in seconds since the epoch. ``untried``
    are dearer kinds that may be better and are yet to be tried. ``points`` are the numbers of the
    points it was fitted on (n,), None where the caller gave pairs, or where it was fitted by a
    release that did not keep them. ``score_map``
    takes the adapter's scores to the queries' metric; None where they are in it, or nothing was
    there to learn it from. Of queries that are sets that is MaxSim by token: ``per_token`` of
    ``index.adapters.set_scores``. ``rows_distance`` is that of the rows, whose ``means`` are kept
    where they are asked for.
    """

    adapter: Adapter
    merge: Merge
    asked: str
    from_points: bool
    max_pairs: int
    pairs: int
    held_out: int
    fitted_at: float
    report: Mapping[str, Any]
    untried: tuple[Kind, ...] = ()
    points: Numbers | None = None
    score_map: ScoreMap | None = None
    over: Over = "vectors"
    rows_distance: Distance = Distance.COSINE
    factors: Factors = field(init=False)
    rescoring: Factors = field(init=False)
    means: SetMeans = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", Factors(self.adapter.row_factors))
        object.__setattr__(self, "rescoring", Factors(self.adapter.rescoring_factors))
        object.__setattr__(self, "means", SetMeans(self.adapter.rows_size, self.rows_distance))

    @property
    def of_rows(self) -> list[Factors]:
        """What is kept of each row: for searches, and for scoring candidates again."""
        kept: list[Factors] = [self.means] if self.over == "means of rows" else []
        kept += [self.factors] if self.adapter.scales_rows else []
        return [*kept, self.rescoring] if self.adapter.rescores else kept

    @property
    def in_metric(self) -> bool:
        """Whether the adapter's scores are in the metric of the queries' version."""
        return self.adapter.kind in ESTIMATING and self.score_map is None

    def estimated(
        self, scores: Scores, rows_distance: Distance, queries: Vectors, mapped: Vectors
    ) -> Scores:
        """Return the adapter's scores in the metric of the queries' version, in the same order.

        Where no map was learned, those of one metric in both versions stay as they are.

        Args:
            scores: of one query (n,), or of several (q, n).
            rows_distance: of the rows' version.
            queries: (d_q,) or (q, d_q).
            mapped: what the rows were searched with, (d_v,) or (q, d_v).
        """
        if self.in_metric:
            return scores
        if self.score_map is None:
            own, wanted = metrics_of(self.adapter, rows_distance, queries, mapped, None)
            alike = own.distance is wanted.distance
            return scores if alike else converted(scores, own, wanted)
        return estimated(self.adapter, self.score_map, scores, rows_distance, queries, mapped)

    @property
    def quality(self) -> float:
        """The share of the queries' version's own answer expected; 0 where it was not measured."""
        expected = self.report.get("expected") or self.report
        return float(expected.get("arr") or 0.0)

    def changed(
        self, *, report: Mapping[str, Any] | None = None, untried: tuple[Kind, ...] | None = None
    ) -> Fitted:
        """Return the same adapter, told more of; what is kept of the rows is kept in common."""
        told = replace(
            self,
            report=self.report if report is None else report,
            untried=self.untried if untried is None else untried,
        )
        object.__setattr__(told, "factors", self.factors)
        object.__setattr__(told, "rescoring", self.rescoring)
        object.__setattr__(told, "means", self.means)
        return told

    def save(self, folder: Directory, admitted: Admitted = anything) -> int:
        """Write it to a new folder, as it is admitted; return its description's checksum."""
        description = {
            "kind": KIND,
            "adapter": self.adapter.to_json(),
            "merge": self.merge.to_json(),
            "asked": self.asked,
            "from_points": self.from_points,
            "max_pairs": self.max_pairs,
            "pairs": self.pairs,
            "held_out": self.held_out,
            "fitted_at": self.fitted_at,
            "report": dict(self.report),
            "untried": list(self.untried),
            "score_map": None if self.score_map is None else self.score_map.to_json(),
            "over": self.over,
            "rows_distance": str(self.rows_distance),
        }
        arrays = dict(self.adapter.arrays())
        if self.points is not None:
            arrays[_POINTS] = self.points
        return write_folder(folder, arrays, description, admitted)

    @classmethod
    def open(cls, folder: Directory, checksum: int) -> Fitted:
        """Read it back, bit-equal. Raises Damaged or UnknownFormat."""
        files = open_folder(folder, checksum)
        stored = files.description
        if stored.get("kind") != KIND:
            raise Damaged(folder.path, KIND, stored.get("kind"), "kind of contents")
        try:
            arrays = {name[:-4]: files.loaded(name[:-4]) for name in files.buffers}
            points = arrays.pop(_POINTS, None)
            adapter = adapter_from_json(stored["adapter"], arrays)
            require_sense(adapter)
            return cls(
                adapter=adapter,
                merge=Merge.from_json(stored["merge"]),
                asked=stored["asked"],
                from_points=stored["from_points"],
                max_pairs=stored["max_pairs"],
                pairs=stored["pairs"],
                held_out=stored["held_out"],
                fitted_at=stored["fitted_at"],
                report=stored["report"],
                untried=tuple(stored.get("untried", ())),
                points=points,
                score_map=_score_map_of(stored.get("score_map")),  # absent before they were fitted
                over=stored.get("over", "vectors"),  # absent before sets had versions
                rows_distance=Distance(stored.get("rows_distance", "cosine")),
            )
        except (InvalidInput, LookupError, TypeError, ValueError) as error:
            raise Damaged(folder.path, "an adapter", repr(error), "description") from error


def _score_map_of(stored: Mapping[str, Any] | None) -> ScoreMap | None:
    return None if stored is None else ScoreMap.from_json(stored)
