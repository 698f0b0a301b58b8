"""Rights hold for a collection under all of its names, and for no other under any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app.access.rights import EVERYTHING, NOTHING, Access, Level
from palimpsest.app.access.table import RIGHTS, right_of
from palimpsest.app.errors import Refusal
from palimpsest.index import CollectionConfig, CreateAlias, Database, VectorConfig

CONFIG = CollectionConfig({"": VectorConfig(2, "dot")})


def holder(**levels: Level) -> Access:
    return Access("someone", "token", Level.NONE, levels)


@pytest.fixture
def filled(database: Database) -> Database:
    for name in ("docs", "secret"):
        database.create(name, CONFIG)
        database.get(name).versions.declare("", "v2", VectorConfig(3, "dot"), declared={})
    database.change_aliases([CreateAlias("pages", "docs"), CreateAlias("hidden", "secret")])
    return database


NAMES = ["docs", "pages", "docs@v2", "pages@v2", "secret", "hidden", "secret@v2", "hidden@v2"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [Level.READ, Level.WRITE, Level.MANAGE])
def test_every_name_of_a_collection_asks_for_the_right_on_it(
    filled: Database, name: str, level: Level
) -> None:
    access = holder(docs=Level.WRITE, pages=Level.MANAGE, hidden=Level.MANAGE)
    allowed = name.partition("@")[0] in ("docs", "pages") and level <= Level.WRITE
    if allowed:
        assert access.collection(filled, name, level) is not None
        access.require(filled, name, level)
        return
    for ask in (access.collection, access.require):
        with pytest.raises(Refusal) as caught:
            ask(filled, name, level)
        assert caught.value.status == 403
        assert f"`{name}`" in caught.value.text


PARTS = st.sampled_from(["docs", "pages", "secret", "hidden", "v2", "@", "@@", "", "x", "v1"])


@given(st.lists(PARTS, max_size=6).map("".join))
def test_a_name_that_finds_something_means_what_it_finds(name: str) -> None:
    found = DATABASE.collection_of(name)
    if found is not None:
        assert DATABASE.database.real_name(name) == found


class Made:
    """One database for all examples."""

    def __init__(self) -> None:
        self.database: Database

    def collection_of(self, name: str) -> str | None:
        try:
            return self.database.get(name).folder.name
        except Exception:
            return None


DATABASE = Made()


@pytest.fixture(autouse=True)
def shared(filled: Database) -> None:
    DATABASE.database = filled


def test_a_long_name_costs_little(filled: Database) -> None:
    for name in ("@" * 60_000, "a@" * 30_000, "docs@" + "x" * 60_000):
        with pytest.raises(Refusal):
            holder(docs=Level.READ).require(filled, name, Level.MANAGE)


def test_who_may_do_everything_and_who_may_do_nothing(filled: Database) -> None:
    for level in (Level.READ, Level.WRITE, Level.MANAGE):
        EVERYTHING.require_everywhere(level)
        with pytest.raises(Refusal):
            NOTHING.require_everywhere(level)
        with pytest.raises(Refusal):
            NOTHING.collection(filled, "docs", level)
    assert EVERYTHING.visible(["docs", "secret"]) == ["docs", "secret"]
    assert holder(docs=Level.READ).visible(["docs", "secret"]) == ["docs"]
    assert NOTHING.visible(["docs", "secret"]) == []


def test_what_stands_in_no_row_asks_for_everything() -> None:
    assert right_of("GET", "/new/route") == ("server", Level.MANAGE)
    assert right_of("POST", "/docs/anything") == ("server", Level.MANAGE)
    assert right_of("GET", "/docs/{file}") == RIGHTS["GET", "/docs"]
    assert right_of("GET", "/docsx") == ("server", Level.MANAGE)
