"""What a search could not do is said once, with what brings it back."""

from __future__ import annotations

from typing import cast

import msgspec
import numpy as np

from palimpsest.app.schemas.explanations import (
    describe_matched,
    describe_reach,
    most_out_of_reach,
    warn_of_reach,
)
from palimpsest.app.warnings import Warnings
from palimpsest.index import Collection, MatchedParts, OutOfReach, SearchStats
from palimpsest.index.types import Members


class Damaged:
    """A collection that remembers what it is told of."""

    def __init__(self) -> None:
        self.met: list[str] = []

    def met_damage(self, finding: str) -> None:
        self.met.append(finding)


def missed(points: int, rows: str = "v1", damage: str | None = None) -> OutOfReach:
    return OutOfReach("é", rows, "v2", points, damage)


def test_the_most_of_all_levels_is_told() -> None:
    stats = SearchStats(out_of_reach=[missed(3), missed(7), missed(5), missed(1, "v0")])
    assert most_out_of_reach(stats) == [missed(7), missed(1, "v0")]


def test_what_brings_points_back() -> None:
    text = describe_reach(missed(2**53 + 1))
    assert text.startswith("9007199254740993 points hold only version 'v1' of vector 'é'")
    assert "no adapter leads to them" in text
    assert '"vector": "é"' in text
    assert "cannot be read (bad checksum)" in describe_reach(missed(1, damage="bad checksum"))


def test_warnings_of_one_search() -> None:
    warnings, collection = Warnings(), Damaged()
    stats = SearchStats(
        segments=4, unheeded=3, lacking=1, damaged=["point 7"], out_of_reach=[missed(3), missed(7)]
    )
    warn_of_reach(warnings, cast(Collection, collection), stats)
    assert warnings.kinds() == ["damage", "recall", "damage", "out_of_reach"]
    left_out, unheeded, lacking, reach = warnings.texts()
    assert left_out == "left out: point 7"
    assert "3 of 4 segments" in unheeded
    assert "1 of 4 segments" in lacking
    assert reach.startswith("7 points")
    assert collection.met == ["point 7"]


def test_a_whole_answer_warns_of_nothing() -> None:
    warnings = Warnings()
    warn_of_reach(warnings, cast(Collection, Damaged()), SearchStats(segments=4))
    assert not warnings


def test_pooled_vectors_that_matched_are_named_by_all_of_them() -> None:
    distances = np.array([-2, -0.5], dtype=np.float32)
    members = Members(np.array([1, 4]), [np.array([1, 4]), np.array([2])])
    parts = MatchedParts(1, np.array([1, 2]), distances, members)
    plain = MatchedParts(1, np.array([1, 2]), distances)
    told = msgspec.to_builtins(describe_matched({7: parts, 8: plain}, similarity=True))
    own = {"best": 1, "parts": [1, 2], "scores": [2.0, 0.5]}
    pooled = {"pooled_best": [1, 4], "pooled_parts": [[1, 4], [2]]}
    assert told == [{"id": 7, **own, **pooled}, {"id": 8, **own}]
