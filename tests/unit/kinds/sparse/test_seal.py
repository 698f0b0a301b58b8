"""Live sparse rows gathered from parts of every sort, in pieces, and written as they are."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.kinds.sparse import seal
from palimpsest.index.kinds.sparse.growing import SparseGrowing
from palimpsest.index.kinds.sparse.seal import live_sparse_rows, write_sparse
from palimpsest.index.kinds.sparse.sealed import KIND
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.files import described
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from palimpsest.index.storage.in_memory import InMemory
from tests.unit.kinds.sparse.twin import Row, as_dict, rows_of

BIG = 2**53 + 1


def growing(rows: list[Row], first: int) -> SparseGrowing:
    slots = np.arange(first, first + len(rows), dtype=np.uint64)
    ids = pack_ids([BIG + first + n for n in range(len(rows))])
    return SparseGrowing.empty(SparseConfig()).extended(
        slots, first, ids, slots.astype(np.uint32), rows_of(rows)
    )


@pytest.mark.parametrize("piece", [1, 2, 1_024])
def test_rows_that_are_dead_in_their_part_are_left_out(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "PIECE", piece)
    rows: list[Row] = [{n: float(n + 1), 2**32 - 1: -1.0} for n in range(7)]
    parts = [growing(rows[:4], 10), growing(rows[4:], 20)]
    dead = [Dead().with_rows(np.array([0, 3]), 4), Dead()]
    live = live_sparse_rows(list(zip(parts, dead, strict=True)))
    assert live.slots.tolist() == [11, 12, 20, 21, 22]
    assert live.seqs.tolist() == [10, 10, 20, 20, 20]
    assert unpack_ids(live.ids)[0] == BIG + 11
    assert [as_dict(live.rows.vector(n)) for n in range(5)] == [rows[1], rows[2], *rows[4:]]


def test_a_segment_says_its_kind_and_what_it_is_told_to_say() -> None:
    folder = InMemory() / "one"
    live = live_sparse_rows([(growing([{1: 2.0}, {}], 1), Dead())])
    assert write_sparse(folder, live, Build(SparseConfig(), said={"vector": 3})) is not None
    said = described(folder)
    assert (said["kind"], said["vector"]) == (KIND, 3)
    assert {"indptr.npy", "indices.npy", "values.npy", "ids.npy"} <= set(folder.list())
