"""A follower comes to the view that the writer published, wherever it begins."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index import Collection, SearchRequest
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.closest import closest
from palimpsest.index.upkeep.follower import Follower
from palimpsest.index.view.view import View
from tests.conftest import open_collection
from tests.following import LATENT, World, config, indexed, state_of

STEPS = 70


def require_followed(follower: Follower, collection: Collection) -> View:
    """Require a follower to come to the view of the writer, and to its payload indexes."""
    published = collection.writer.view
    followed = follower.follow()
    assert state_of(followed) == state_of(published)
    assert follower.fields is not None
    live = published.live
    held = indexed(follower.fields.indexes, live)
    assert held == {
        key: one
        for key, one in indexed(collection.writer.indexes, live).items()
        if key in held or all(key != each.building.key for each in follower.fields.unbuilt)
    }
    return followed


def answers(view: View) -> list[tuple[bytes, bytes]]:
    """Return what a query finds in each dense column."""
    query = SearchRequest(LATENT[3], "", 20)
    columns = [one for one in view.vectors.values() if isinstance(one.config, VectorConfig)]
    found = [closest(one, query, None).merged for one in columns]
    return [(one.numbers.tobytes(), one.distances.tobytes()) for one in found]


@pytest.mark.parametrize("seed", range(6))
def test_followers_come_to_what_the_writer_published(tmp_path: Path, seed: int) -> None:
    collection = open_collection(tmp_path / "c", config())
    world, draw = World(collection, seed), random.Random(seed)
    with closing(Follower(collection.folder, collection.writer.leases)) as always:
        for _ in range(STEPS):
            world.step()
            if draw.random() < 0.3:
                require_followed(always, collection)
                with closing(Follower(collection.folder)) as fresh:
                    require_followed(fresh, collection)
        expected = state_of(collection.writer.view)
        collection.close()
        reopened = open_collection(collection.folder)
        assert state_of(reopened.view) == expected
        require_followed(always, reopened)
        reopened.close()
    assert len(world.done) > 7 and {"upsert", "delete", "seal"} <= world.done.keys()


def test_an_upgrade_is_followed_step_by_step(tmp_path: Path) -> None:
    collection = open_collection(tmp_path / "c", config())
    world = World(collection, 2)
    steps = (
        world.upsert, world.upsert, world.seal, world.index, world.upsert, world.declare,
        world.upsert, world.upsert, world.fit, world.upsert, world.save, world.seal, world.upsert,
        world.activate, world.fit_back, world.upsert, world.delete, world.seal, world.compact,
        world.upsert, world.drop_back, world.compact, world.upsert,
    )  # fmt: skip
    with closing(Follower(collection.folder, collection.writer.leases)) as always:
        for step in steps:
            step()
            followed = require_followed(always, collection)
            assert answers(followed) == answers(collection.writer.view)
        with closing(Follower(collection.folder)) as fresh:
            require_followed(fresh, collection)
    collection.close()


def test_a_store_at_rest_is_followed_and_left_as_it_is(tmp_path: Path) -> None:
    collection = open_collection(tmp_path / "c", config())
    world = World(collection, 4)
    for step in (world.upsert, world.seal, world.upsert, world.delete):
        step()
    expected = state_of(collection.writer.view)
    collection.close()
    files = contents(collection.folder)
    with closing(Follower(collection.folder)) as follower:
        assert state_of(follower.follow()) == expected
    assert contents(collection.folder) == files


def contents(folder: Path) -> dict[str, bytes]:
    """Return what each file holds, but of what connections share while they are open."""
    shared = ("-shm", "-wal")
    files = [one for one in folder.rglob("*") if one.is_file() and not one.name.endswith(shared)]
    return {str(one): one.read_bytes() for one in files}


def test_nothing_is_read_again_where_nothing_was_committed(tmp_path: Path) -> None:
    collection = open_collection(tmp_path / "c", config())
    world = World(collection, 3)
    for step in (*[world.upsert] * 6, world.seal, world.upsert):
        step()
    with closing(Follower(collection.folder)) as follower:
        before = follower.follow()
        assert follower.follow() is before
        world.upsert()
        after = follower.follow()
        assert after is not before
        (old,), (new,) = before.vectors[0].sealed, after.vectors[0].sealed
        assert old.segment is new.segment
    collection.close()
