"""How a segment is written: what is said of it, whether it was cancelled, and piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.segments import build
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.seal import live_rows, write_segment
from palimpsest.index.storage import in_memory
from palimpsest.index.storage.files import described
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import Distance

CONFIG = VectorConfig(2, Distance.DOT)


def grown(n: int) -> Growing:
    slots = np.arange(1, n + 1, dtype=np.uint64)
    rows = np.ones((n, 2), dtype=np.float32)  # exact copies
    ids = pack_ids([2**53 + int(one) for one in slots])
    return Growing.empty(CONFIG).extended(slots, 1, ids, slots.astype(np.uint32), rows)


def test_what_is_not_told_otherwise_is_never_cancelled_and_says_nothing() -> None:
    one, other = Build(CONFIG), Build(CONFIG)
    assert not one.cancelled() and one.firm() == 0 and one.said == {}
    assert one.said is not other.said
    assert not build.never()


def test_a_build_says_what_it_is_told_to_beside_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "PIECE", 64)
    pieces = 0

    @contextmanager
    def admitted() -> Iterator[None]:
        nonlocal pieces
        pieces += 1
        yield

    files, rows = InMemory(), live_rows([(grown(40), Dead())])
    to = Build(CONFIG, said={"vector": 3, "ж": 2**60}, admitted=admitted)
    assert write_segment(files / "one", rows, to) is not None
    said = described(files / "one")
    assert (said["vector"], said["ж"], said["size"]) == (3, 2**60, 2)
    assert pieces >= 40 * 8 // 64


def test_one_that_is_cancelled_leaves_nothing() -> None:
    files, rows = InMemory(), live_rows([(grown(1_500), Dead())])
    to = replace(Build(CONFIG), cancelled=lambda: True)
    assert write_segment(files / "one", rows, to) is None
    assert files.list() == []
