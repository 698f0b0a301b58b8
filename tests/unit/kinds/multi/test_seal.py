"""A segment holds the live rows of the parts that it was made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Distance, MultiConfig
from palimpsest.index.kinds.multi.growing import MultiGrowing
from palimpsest.index.kinds.multi.rows import MultiRows
from palimpsest.index.kinds.multi.seal import write_multi
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.segments.build import Build
from palimpsest.index.storage.local import Local
from tests.unit.kinds.multi.twin import Set, batch_of, drawn

SIZE = 4


def part_of(sets: dict[int, Set], config: MultiConfig) -> MultiGrowing:
    batch = batch_of([*sets.values()], config.size)
    ids = np.array([*sets], dtype=np.uint64)
    rows = MultiRows(batch.starts, batch.values)
    empty = MultiGrowing.empty(config)
    return empty.extended(ids + 1, 1, ids, ids.astype(np.uint32), rows)


@pytest.mark.parametrize("originals", ["float32", "float16"])
def test_dead_rows_are_left_behind(tmp_path: Path, originals: str) -> None:
    config = MultiConfig(SIZE, Distance.DOT, originals=originals)  # type: ignore[arg-type]
    sets, others = drawn(range(30), SIZE), drawn(range(30, 50), SIZE)
    one = part_of(sets, config).without(np.array([5, 9], dtype=np.uint64))
    two = part_of(others, config).without(np.array([31], dtype=np.uint64))
    target = Local(tmp_path / "segment")
    checksum = write_multi(target, [(one, one.dead), (two, two.dead)], Build(config))
    assert checksum is not None
    segment = MultiSealed.open(target, checksum)
    expected = {n: held for n, held in {**sets, **others}.items() if n not in (4, 8, 30)}
    assert segment.ids.tolist() == [*expected]
    for row, held in enumerate(expected.values()):
        read = segment.rows_of(np.array([row])).values
        np.testing.assert_array_equal(read, held.astype(originals))


def test_nothing_is_left_of_one_that_is_cancelled(tmp_path: Path) -> None:
    config = MultiConfig(SIZE, Distance.DOT)
    part, target = part_of(drawn(range(9), SIZE), config), Local(tmp_path / "segment")
    assert write_multi(target, [(part, part.dead)], Build(config, cancelled=lambda: True)) is None
    assert not target.path.exists()
