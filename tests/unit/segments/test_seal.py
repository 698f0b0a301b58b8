"""Live rows turned into a segment: every sort of row and part, read back as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.segments import seal
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.seal import live_rows, write_segment
from palimpsest.index.segments.sealed import GRAPH_ROWS, Sealed
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import Distance, Vectors

SIZE = 6


def grown(config: VectorConfig, rows: Vectors, first: int = 1) -> Growing:
    slots = np.arange(first, first + len(rows), dtype=np.uint64)
    ids = pack_ids([2**53 + int(one) for one in slots])
    return Growing.empty(config).extended(slots, first, ids, slots.astype(np.uint32), rows)


def written(files: InMemory, parts: list[tuple[Any, Dead]], config: VectorConfig) -> Sealed:
    name = f"s{len(files.list())}"
    checksum = write_segment(files / name, live_rows(parts), Build(config, seed=3))
    assert checksum is not None
    return Sealed.open(files / name, checksum)


def by_slot(segment: Sealed) -> Vectors:
    return segment.vectors_of(segment.by_slot.astype(np.intp))


@pytest.fixture
def rows(rng: np.random.Generator) -> Vectors:
    drawn = rng.standard_normal((1_300, SIZE)).astype(np.float32)
    drawn[5] = 0
    drawn[6:9] = drawn[4]  # exact copies
    drawn[9] *= 1e-20
    return drawn


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID, Distance.MANHATTAN])
def test_rows_come_back_in_the_order_of_their_slots(rows: Vectors, distance: Distance) -> None:
    config = VectorConfig(SIZE, distance)
    segment = written(InMemory(), [(grown(config, rows), Dead())], config)
    np.testing.assert_array_equal(by_slot(segment), rows)
    assert (segment.n, segment.searcher.has_graph) == (1_300, distance is not Distance.MANHATTAN)
    assert unpack_ids(segment.ids[segment.by_slot[:1]]) == [2**53 + 1]
    assert segment.searcher.has_codes == (distance is not Distance.MANHATTAN)


def test_few_rows_have_no_graph(rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.EUCLID)
    few = written(InMemory(), [(grown(config, rows[: GRAPH_ROWS - 1]), Dead())], config)
    assert not few.searcher.has_graph and few.searcher.has_codes
    one = written(InMemory(), [(grown(config, rows[5:6]), Dead())], config)
    assert by_slot(one).tolist() == [[0.0] * SIZE]


def test_dead_rows_are_left_out_whichever_part_they_are_in(rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.EUCLID, M=0)
    files = InMemory()
    first = written(files, [(grown(config, rows[:100]), Dead())], config)
    dead = Dead().with_rows(np.arange(0, 100, 2), 100)
    alive = np.sort(first.slots[dead.live_rows(100)]).astype(int) - 1
    both = written(
        files, [(first, dead), (grown(config, rows[100:110], 101), Dead())], config
    )  # fmt: skip
    np.testing.assert_array_equal(by_slot(both), rows[[*alive, *range(100, 110)]])


@pytest.mark.parametrize("piece", [1, 7, 1_024])
def test_pieces_do_not_show(rows: Vectors, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "PIECE", piece)
    config = VectorConfig(SIZE, Distance.DOT, originals="int8", M=0)
    files = InMemory()
    first = written(files, [(grown(config, rows[:40]), Dead())], config)
    again = written(files, [(first, Dead())], config)
    np.testing.assert_allclose(by_slot(again), by_slot(first), rtol=1e-6)
    np.testing.assert_allclose(by_slot(first), rows[:40], atol=0.03)


def test_rows_of_codes_alone_are_not_coded_a_second_time(rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.EUCLID, "8", "none")
    files = InMemory()
    first = written(files, [(grown(config, rows), Dead())], config)
    assert first.kept is None
    again = written(files, [(first, Dead())], config)
    np.testing.assert_array_equal(by_slot(again), by_slot(first))
    assert again.codes is not None and first.codes is not None
    np.testing.assert_array_equal(
        again.codes[again.by_slot.astype(np.intp)], first.codes[first.by_slot.astype(np.intp)]
    )


def test_the_same_rows_and_seed_give_the_same_files(rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.COSINE)
    files = [InMemory(), InMemory()]
    for own in files:
        written(own, [(grown(config, rows), Dead())], config)
    names = (files[0] / "s0").list()
    for name in names:
        assert (files[0] / "s0").read(name) == (files[1] / "s0").read(name), name
