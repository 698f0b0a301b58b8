"""A follower of what another connection writes: its view is kept until there is a new commit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index import Collection, FieldIndex
from palimpsest.index.errors import Damaged
from palimpsest.index.upkeep.follower import Follower
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

IDS = [2**53, 2**53 + 1, UUID(int=7)]


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(config_of(2))
    made.upsert(batch_of(IDS, np.ones((3, 2), np.float32), [b'{"\xd0\xb6": 1}'] * 3)).result()
    return made


def test_nothing_new_is_the_same_view(collection: Collection) -> None:
    with closing(Follower(collection.folder)) as follower:
        first = follower.follow()
        assert first is follower.follow()
        assert (first.points, first.seq) == (3, collection.view.seq)
        assert follower.fields is not None and follower.fields.indexes.declared == {}


def test_what_was_committed_since_is_in_the_next_view_and_not_in_the_last(
    collection: Collection,
) -> None:
    with closing(Follower(collection.folder, collection.writer.leases)) as follower:
        first = follower.follow()
        collection.delete([2**53 + 1]).result()
        collection.create_index("ж", FieldIndex.from_declared("integer")).result()
        collection.upkeep.seal()
        then = follower.follow()
        assert (first.points, then.points) == (3, 2)
        assert then.vectors[0].live == 2 and first.vectors[0].live == 3
        assert follower.fields is not None
        assert set(follower.fields.indexes.declared) | {
            one.building.key for one in follower.fields.unbuilt
        } == {"ж"}


def test_a_follower_changes_nothing(collection: Collection) -> None:
    collection.close()
    before = {p: p.read_bytes() for p in collection.folder.rglob("*") if p.is_file()}
    with closing(Follower(collection.folder)) as follower:
        assert follower.follow().points == 3
    for path, content in before.items():
        assert path.read_bytes() == content, path


def test_what_is_no_store_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(Damaged):
        Follower(tmp_path).follow()
