"""What matched of pooled sets is named by the vectors as given, however often rewritten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Distance, MultiConfig
from palimpsest.index.encoding.pooling import pool_tokens
from palimpsest.index.kinds.multi.live import MultiPart
from palimpsest.index.kinds.multi.pooled import Pooled, type_of, unpooled
from palimpsest.index.kinds.multi.seal import write_multi
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.local import Local
from palimpsest.index.types import MatchedParts
from tests.unit.kinds.multi.test_seal import SIZE, part_of
from tests.unit.kinds.multi.twin import Set, batch_of, drawn

CONFIG = MultiConfig(SIZE, Distance.DOT, originals="none", token_bits=8, pool=3)


def sealed(folder: Path, parts: list[tuple[MultiPart, Dead]], config: MultiConfig) -> MultiSealed:
    target = Local(folder)
    checksum = write_multi(target, parts, Build(config))
    assert checksum is not None
    return MultiSealed.open(target, checksum)


def members_of(one: Set, pool: int) -> list[list[int]]:
    """Return which vectors of a set each pooled one stands for, one set at a time."""
    labels = pool_tokens(one, batch_of([one], SIZE).starts, pool, unit=False).labels
    return [np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)]


def require_named(segment: MultiSealed, sets: dict[int, Set], pools: dict[int, int]) -> None:
    assert sorted(segment.ids.tolist()) == sorted(sets)
    for row, number in enumerate(segment.ids.tolist()):
        members = members_of(sets[number], pools[number])
        held = segment.rows_of(np.array([row])).values
        assert len(held) == len(members)
        parts = segment.sets.parts(held, row)
        assert segment.pooled is not None
        named = segment.pooled.named(parts, row)
        assert named.members is not None and named.distances is parts.distances
        expected = [members[place] for place in parts.best.tolist()]
        assert [one.tolist() for one in named.members.best] == expected
        assert named.best.tolist() == [one[0] for one in expected]
        assert named.members.whole.tolist() == members[parts.whole]
        assert named.whole == members[parts.whole][0]


def test_places_survive_seals_and_rewriting(tmp_path: Path) -> None:
    sets, more = drawn(range(40), SIZE, 1, most=9), drawn(range(40, 55), SIZE, 2, most=9)
    one = part_of(sets, CONFIG).without(np.array([4], dtype=np.uint64))
    pools = dict.fromkeys(sets, 3)
    del sets[3]
    first = sealed(tmp_path / "first", [(one, one.dead)], CONFIG)
    require_named(first, sets, pools)
    assert first.pooled is not None and first.pooled.labels.dtype == np.uint8
    # set anew with other settings: what is pooled stays so, what comes is pooled as is wanted now
    for pool, bits in ((1, 8), (2, 4)):
        config = replace(CONFIG, pool=pool, token_bits=bits)  # type: ignore[arg-type]
        two = part_of(more, config)
        both = sealed(tmp_path / f"both{pool}", [(first, Dead()), (two, two.dead)], config)
        require_named(both, sets | more, pools | dict.fromkeys(more, pool))
        alone = sealed(tmp_path / f"again{pool}", [(both, Dead())], config)
        require_named(alone, sets | more, pools | dict.fromkeys(more, pool))


@pytest.mark.parametrize("config", [replace(CONFIG, pool=1), replace(CONFIG, originals="float16")])
def test_others_stand_for_themselves(tmp_path: Path, config: MultiConfig) -> None:
    part = part_of(drawn(range(9), SIZE), config)
    segment = sealed(tmp_path / "one", [(part, part.dead)], config)
    assert segment.pooled is None and not segment.pooled
    assert not (tmp_path / "one" / "token_labels.npy").exists()


def test_labels_are_as_narrow_as_they_can_be() -> None:
    assert type_of(np.array([], dtype=np.int64)) == np.uint8
    assert type_of(np.array([3, 256])) == np.uint8
    assert type_of(np.array([257])) == np.uint16
    assert type_of(np.array([65_537])) == np.uint32
    assert unpooled(np.array([2, 3])).tolist() == [0, 1, 0, 1, 2]


def test_what_does_not_fit_is_refused() -> None:
    starts, labels = np.array([0, 2, 3]), np.array([0, 0, 0], dtype=np.uint8)
    parts = MatchedParts(0, np.zeros(2, np.int64), np.zeros(2, np.float32))
    named = Pooled(starts, labels).named(parts, 0)
    assert named.members is not None and named.members.whole.tolist() == [0, 1]
    for wrong in (starts[1:], np.array([0, 2, 2]), starts.astype(np.int32)):
        with pytest.raises(ValueError, match="pooled|fit"):
            Pooled(wrong, labels)
    for odd in (labels[:2], labels.astype(np.int64)):
        with pytest.raises(ValueError, match="labels"):
            Pooled(starts, odd)
