"""What a search could not do is said once, with what brings it back."""

from __future__ import annotations

from typing import cast

from palimpsest.app.schemas.explanations import describe_reach, most_out_of_reach, warn_of_reach
from palimpsest.app.warnings import Warnings
from palimpsest.index import Collection, OutOfReach, SearchStats


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
