"""Graph arrays that do not fit together are refused: a search may trust every number in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.segments.graph import Graph
from tests.unit.segments.test_graph import built, small

Arrays = dict[str, NDArray[Any]]
Damage = Callable[[dict[str, int], Arrays], None]


def set_item(name: str, place: int, value: int) -> Damage:
    def damage(_: dict[str, int], arrays: Arrays) -> None:
        arrays[name][place] = value

    return damage


def cut(name: str) -> Damage:
    def damage(_: dict[str, int], arrays: Arrays) -> None:
        arrays[name] = arrays[name][:-1].copy()

    return damage


def scalar(name: str, value: int) -> Damage:
    def damage(scalars: dict[str, int], _: Arrays) -> None:
        scalars[name] = value

    return damage


ARRAYS = ("offsets", "links", "upper_rows", "upper_down", "upper_offsets", "upper_links")
DAMAGES: dict[str, Damage] = {
    **{f"{name} cut": cut(name) for name in ARRAYS},
    "width 1": scalar("width", 1),
    "width 3": scalar("width", 3),
    "width 5": scalar("width", 5),
    "entry row": scalar("entry_row", 5_000),
    "levels": scalar("top_level", 30),
    "fewer levels": scalar("top_level", 1),
    "no levels": scalar("top_level", 0),
    "down beside": set_item("upper_down", 1, 0),
    "down past": set_item("upper_down", 0, 1_999),
    "upper link across layers": set_item("upper_links", 0, 400),
    "first offset": set_item("offsets", 0, 1),
    "falling offset": set_item("offsets", 7, 2**32 - 1),
    "last offset": set_item("offsets", -1, 2**32 - 1),
    "link": set_item("links", 1, 255),
    "upper row": set_item("upper_rows", 3, 5_000),
    "upper offset": set_item("upper_offsets", 3, 2**32 - 1),
    "first upper offset": set_item("upper_offsets", 0, 1),
    "upper link": set_item("upper_links", 3, 5_000),
    "upper down": set_item("upper_down", 0, 2**32 - 1),
}


@pytest.fixture(scope="module")
def sound() -> Graph:
    graph = built(small(2_000, 8), M=4, ef_construction=40)
    assert graph.to_json()["top_level"] >= 2
    return graph


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_arrays_are_refused(sound: Graph, damage: Damage) -> None:
    scalars = sound.to_json()
    arrays = {name: array.copy() for name, array in sound.arrays().items()}
    damage(scalars, arrays)
    with pytest.raises(ValueError, match="graph arrays do not fit together"):
        Graph.from_arrays(scalars, arrays)


def test_damage_is_refused_or_harmless(sound: Graph, rng: np.random.Generator) -> None:
    """Random numbers anywhere: a graph that is accepted is searched without leaving its arrays."""
    vectors = small(2_000, 8)
    rows, distances = np.empty(10, np.uint32), np.empty(10, np.float32)
    how = _native.Walk(20), _native.Rescoring(0), _native.FirstRows(2_000), None, 0.0
    accepted = 0
    for _ in range(1_500):
        arrays = {name: array.copy() for name, array in sound.arrays().items()}
        array = arrays[ARRAYS[rng.integers(len(ARRAYS))]]
        array[rng.integers(len(array))] = rng.integers(min(2_000, np.iinfo(array.dtype).max))
        try:
            graph = Graph.from_arrays(sound.to_json(), arrays)
        except ValueError:
            continue
        accepted += 1
        segment = _native.Segment(2_000, 8, "l2", None, None, 0.0, graph.native, vectors)
        for query in vectors[:20]:
            segment.walk(query, 10, *how, rows, distances)
    assert accepted > 0


@pytest.mark.parametrize("levels", [0, 2])
def test_no_upper_nodes_means_no_levels(levels: int) -> None:
    offsets, none = np.zeros(2, np.uint32), np.zeros(0, np.uint32)
    scalars = {"width": 2, "top_level": levels, "entry_row": 0}
    arrays: Arrays = {
        "offsets": offsets,
        "links": np.zeros(0, np.uint8),
        "upper_rows": none,
        "upper_down": none,
        "upper_offsets": none,
        "upper_links": none,
    }
    if levels == 0:
        assert Graph.from_arrays(scalars, arrays).unreachable() == 0
    else:
        with pytest.raises(ValueError, match="levels without nodes"):
            Graph.from_arrays(scalars, arrays)
