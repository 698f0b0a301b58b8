"""Bridges between versions: mapped rows first, then the best adapters, none from the retired."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from palimpsest.index.config.collection import CollectionConfig, State, VersionConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.types import Distance
from palimpsest.index.view.bridge import bridges_of

SPACE = VectorConfig(2, Distance.DOT)


class Fit:
    """An adapter by what its bridge is ranked by."""

    def __init__(self, quality: float) -> None:
        self.quality = quality


def config(*states: State, mapped: tuple[str, str] | None = None) -> CollectionConfig:
    """Return a config of versions v1, v2 ... of «текст», the last of them mapped perhaps."""
    versions = [VersionConfig("текст", f"v{n}", state) for n, state in enumerate(states, 1)]
    versions[-1] = replace(versions[-1], mapped=mapped)
    made = CollectionConfig({"текст": SPACE})
    for one in versions:
        if one.state != "active":
            made = made.with_column(f"текст@{one.version}", SPACE)
    return replace(made, versions=tuple(versions))


def ways(made: CollectionConfig, fitted: dict[tuple[str, str], float], to: str) -> list[Any]:
    by_columns: Any = {
        (made.number(f"текст@{rows}"), made.number(f"текст@{queries}")): Fit(quality)
        for (rows, queries), quality in fitted.items()
    }
    return list(bridges_of(made, by_columns, {}).get(made.number(f"текст@{to}"), ()))


def test_better_adapters_come_first_and_missing_ones_last() -> None:
    made = config("active", "serving", "shadow", "serving")
    fitted = {("v2", "v1"): 0.5, ("v3", "v1"): 0.9}
    found = ways(made, fitted, "v1")
    assert [(one.rows, one.fitted is None, one.needed) for one in found] == [
        ("v3", False, False), ("v2", False, True), ("v4", True, True),
    ]  # fmt: skip
    assert [one.queries for one in found] == ["v1"] * 3
    assert [made.name_of(one.column) for one in found] == ["текст@v3", "текст@v2", "текст@v4"]


def test_points_that_must_be_found_come_before_those_that_need_not() -> None:
    assert [one.rows for one in ways(config("active", "shadow", "serving"), {}, "v1")] == [
        "v3",
        "v2",
    ]


def test_retired_rows_are_searched_by_queries_of_their_own_alone() -> None:
    made = config("active", "retired")
    assert ways(made, {("v2", "v1"): 1.0}, "v1") == []
    assert [one.rows for one in ways(made, {}, "v2")] == ["v1"]


def test_mapped_rows_serve_the_queries_they_were_made_for_and_come_first() -> None:
    made = config("serving", "active", "serving", mapped=("v1", "v2"))
    fitted = {("v1", "v2"): 0.9, ("v3", "v2"): 0.1}
    assert [one.rows for one in ways(made, fitted, "v2")] == ["v3", "v1"]
    assert [one.rows for one in ways(made, fitted, "v1")] == ["v2"]


def test_what_is_wrong_with_an_adapter_is_told_with_its_bridge() -> None:
    made = config("active", "serving")
    ends = made.number("текст@v2"), made.number("текст@v1")
    (one,) = bridges_of(made, {}, {ends: "its bytes are others"})[0]
    assert (one.fitted, one.damage) == (None, "its bytes are others")


@pytest.mark.parametrize("versions", [(), (VersionConfig("текст", "v1", "active"),)])
def test_a_single_version_has_no_bridge(versions: tuple[VersionConfig, ...]) -> None:
    assert bridges_of(replace(CollectionConfig({"текст": SPACE}), versions=versions), {}, {}) == {}
