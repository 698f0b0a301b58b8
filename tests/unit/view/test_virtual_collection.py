"""Virtual collections, and names that stay true while versions change beside a search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    CollectionNotFound,
    Database,
    Distance,
    DropVersion,
    Filter,
    HasId,
    HasVector,
    InvalidConfig,
    InvalidInput,
    Match,
    MinShould,
    NamedVectors,
    PointBatch,
    SearchRequest,
    SparseConfig,
    VectorConfig,
    VersionedQuery,
    VersionNotFound,
)
from tests.conftest import OpenCollection
from tests.unit.versions.beside import Beside
from tests.unit.versions.mixed import SIZES, Account, config_of, require_agrees, texts_of

N = 120


def spaces_of(size: int | None = None) -> dict[str, VectorConfig]:
    return {v: VectorConfig(size or SIZES[v], Distance.COSINE) for v in ("v1", "v2")}


@pytest.fixture
def account(collection_of: OpenCollection, rng: np.random.Generator) -> Account:
    spaces = spaces_of()
    account = Account(collection_of(config_of(spaces["v1"])), texts_of(N, rng), spaces)
    account.declare("v2")
    return account


def test_bare_names_mean_the_version(account: Account) -> None:
    virtual = account.collection.showing("v2")
    assert (virtual.name, virtual.version) == ("test@v2", "v2")
    assert account.collection.version is None
    assert virtual is account.collection.showing("v2")
    assert virtual.config.dense[""].size == SIZES["v2"]
    named = {"": NamedVectors(np.arange(N), account.texts.rows["v2"])}
    virtual.upsert(PointBatch(range(N), named, [None] * N)).result()
    query = account.query("v2", 0)
    found = virtual.search(SearchRequest(query, k=5))
    same = account.collection.search(SearchRequest(query, "@v2", k=5))
    assert list(found.ids) == list(same.ids) and found.stats.versions == []
    (record,) = virtual.retrieve([3], with_vectors=True)
    (own,) = account.collection.retrieve([3], with_vectors=("", "@v1", "@v2"))
    assert record.vectors is not None and own.vectors is not None
    np.testing.assert_array_equal(record.vectors[""], own.vectors["@v2"])
    assert {*own.vectors} == {"@v2"} and {*record.vectors} == {""}
    having = Filter(must=(HasVector(""),))
    assert (virtual.count(having), account.collection.count(having)) == (N, 0)
    for name in ("@v1", "@v2"):
        one = Filter(must=(HasVector(name),))
        assert virtual.count(one) == account.collection.count(one)


def test_queries_of_a_virtual_collection_find_all_points(account: Account) -> None:
    account.put("v1", range(N))
    account.put("v2", range(0, N, 4))
    account.fit("v1", "v2")
    virtual = account.collection.showing("v2")
    query = account.query("v2", 0)
    expected = account.expected("v2", query, ["v1"])
    require_agrees(virtual.search(SearchRequest(query, k=N, exact=True)), expected)
    again = virtual.search(SearchRequest(query, "@v2", k=N, exact=True))
    require_agrees(again, expected)
    old = account.query("v1", 0)
    found = virtual.search(SearchRequest(old, "@v1", k=N, exact=True))
    require_agrees(found, account.expected("v1", old))
    point = virtual.search(SearchRequest(1, k=5, exact=True, with_vectors=True))
    assert 1 not in point.ids and point.vectors is not None
    reading = virtual.reading()
    vectors, has = reading.vectors("", np.array([0, 1], dtype=np.uint32))
    assert has.tolist() == [True, True] and vectors.shape == (2, SIZES["v2"])


def test_it_follows_what_happens_to_its_version(account: Account) -> None:
    account.put("v1", range(N))
    account.put("v2", range(N))
    collection = account.collection
    first, second = collection.showing("v1"), collection.showing("v2")
    queries = {version: account.query(version, 0) for version in ("v1", "v2")}

    def require_unchanged() -> None:
        for version, virtual in (("v1", first), ("v2", second)):
            found = virtual.search(SearchRequest(queries[version], k=N, exact=True))
            require_agrees(found, account.expected(version, queries[version]))

    for version in ("v2", "v1", "v2"):
        require_unchanged()
        collection.versions.activate("", version)
    require_unchanged()
    collection.versions.drop("", "v1")
    for use in (first.count, lambda: first.config, lambda: first.retrieve([1]), first.selector):
        with pytest.raises(VersionNotFound, match="'v1'"):
            use()
    with pytest.raises(VersionNotFound):
        collection.showing("v1")
    account.rows["v1"].clear()
    account.declare("v1")
    account.put("v1", range(5))
    found = first.search(SearchRequest(queries["v1"], k=N, exact=True, bridge="off"))
    require_agrees(found, account.expected("v1", queries["v1"]))


def test_declarations_are_changed_in_the_collection_itself(account: Account) -> None:
    virtual = account.collection.showing("v2")
    space = VectorConfig(3, Distance.DOT)
    changes = [
        lambda: virtual.reconfigure(virtual.config),
        lambda: virtual.add_vector("more", space, dict),
        lambda: virtual.drop_vector("", dict),
        lambda: virtual.versions.declare("", "v3", space, declared={}),
        lambda: virtual.versions.activate("", "v2"),
        lambda: virtual.versions.retire("", "v1"),
        lambda: virtual.versions.drop("", "v1"),
        lambda: virtual.versions.consolidate("", "v1", "v2"),
    ]
    for change in changes:
        with pytest.raises(InvalidInput, match="'test@v2' is version 'v2' of collection 'test'"):
            change()


def test_names_of_a_database(database: Database) -> None:
    collection = database.create("docs", config_of(spaces_of()["v1"]))
    collection.versions.declare("", "v2", spaces_of()["v2"], declared={})
    assert database.get("docs@v2").config.dense[""].size == SIZES["v2"]
    assert database.get("docs@v1").name == "docs@v1"
    for wrong in ("docs@v2@v1", "docs@v2@v2", "none@v2", "@v2", "docs@"):
        with pytest.raises((CollectionNotFound, VersionNotFound)):
            database.get(wrong)
    assert database.get("docs@v1").name == "docs@v1"
    for wrong in ("docs@v2", "docs@v3", "a@b"):
        with pytest.raises(InvalidConfig, match="'@'"):
            database.create(wrong, config_of(spaces_of()["v1"]))
    with pytest.raises(InvalidInput, match="'docs@v2' is version 'v2' of coll.* 'docs'") as error:
        database.drop("docs@v2")
    assert error.value.remedies == (DropVersion("", "v2", "docs"),)
    assert not database.drop("docs@v3") and not database.drop("none@v2")
    assert database.names() == ["docs"]
    assert database.drop("docs")


def test_what_is_advised_instead_of_dropping_a_version_as_a_collection(database: Database) -> None:
    """The calls name the vectors that have the version: without a name they would be refused."""
    space = spaces_of()["v1"]
    config = CollectionConfig({"a": space, "b": space, "c": space, "words": SparseConfig()})
    collection = database.create("docs", config)
    for name in "ab":
        collection.versions.declare(name, "v2", space, declared={})
    with pytest.raises(InvalidInput) as error:
        database.drop("docs@v2")
    assert error.value.remedies == tuple(DropVersion(name, "v2", "docs") for name in "ab")
    for remedy in error.value.remedies:
        assert isinstance(remedy, DropVersion)
        collection.versions.drop(remedy.vector, remedy.version)
    assert not database.drop("docs@v2")


def test_a_folder_of_old_with_an_at_in_its_name(tmp_path: Path) -> None:
    with Database.open(tmp_path, threads=1) as database:
        database.create("docs", config_of(spaces_of()["v1"]))
        database.create("plain", config_of(spaces_of()["v1"]))
    folder = tmp_path / "collections"
    (folder / "plain").rename(folder / "docs@v2")
    with Database.open(tmp_path, threads=1) as database:
        assert database.names() == ["docs", "docs@v2"]
        assert database.get("docs@v2").version is None
        assert database.get("docs@v1").version == "v1"
        assert database.drop("docs@v2") and database.names() == ["docs"]


def test_searches_beside_activations_see_one_state_each(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    """Both versions have one size here, so that nothing but the answer tells them apart."""
    spaces = spaces_of(8)
    texts = texts_of(N, rng, {"v1": 8, "v2": 8})
    account = Account(collection_of(config_of(spaces["v1"])), texts, spaces)
    account.declare("v2")
    for version in ("v1", "v2"):
        account.put(version, range(N))
    collection: Collection = account.collection
    query = account.query("v1", 0)
    answers = {
        version: [point for point, _ in account.expected(version, query)[:10]]
        for version in ("v1", "v2")
    }

    def search(version: str | None) -> None:
        shown = collection if version is None else collection.showing(version)
        allowed = [answers[version]] if version else [*answers.values()]
        for name in ("", f"@{version or 'v1'}"):
            found = shown.search(SearchRequest(query, name, exact=True))
            assert list(found.ids) in allowed, (version, name)
        both = VersionedQuery({"v1": query, "v2": query})
        found = shown.search(SearchRequest(both, exact=True))
        assert list(found.ids) == answers[version or "v2"]

    def read(version: str) -> None:
        shown = collection.showing(version)
        (record,) = shown.retrieve([7], with_vectors=True)
        assert record.vectors is not None
        np.testing.assert_allclose(record.vectors[""], account.rows[version][7], atol=1e-6)  # type: ignore[arg-type]
        own = account.expected(version, account.rows[version][7])
        found = shown.search(SearchRequest(7, k=9, exact=True, with_vectors=True))
        assert list(found.ids) == [point for point, _ in own if point != 7][:9]
        vectors, has = shown.reading().vectors("", np.array([0], dtype=np.uint32))
        assert has.all()
        np.testing.assert_allclose(vectors[0], account.rows[version][0], atol=1e-6)

    with Beside() as beside:
        for version in (None, "v1", "v2"):
            beside.repeat(lambda version=version: search(version))  # type: ignore[misc]
        for version in ("v1", "v2"):
            beside.repeat(lambda version=version: read(version))  # type: ignore[misc]
        for turn in range(100):
            collection.versions.activate("", ("v2", "v1")[turn % 2])
            if turn % 10 == 0:
                collection.upkeep.seal()


def test_filters_of_writes_mean_the_version_they_were_written_for(account: Account) -> None:
    """Also when another one is active by the time they are carried out."""
    account.put("v1", range(10))
    account.put("v2", range(5, 15))
    collection, virtual = account.collection, account.collection.showing("v2")
    without = Filter(must_not=(HasVector(""),))
    inner = Filter(should=(Filter(min_should=MinShould((HasVector(""), HasId(frozenset())), 1)),))
    virtual.set_payload(inner, b'{"new": 1}').result()
    new = Filter(must=(Match(("new",), (1,)),))
    assert collection.count(new) == 10 and collection.count(inner) == 10
    assert {r.id for r in collection.scroll(None, 100, new)[0]} == {*range(5, 15)}
    named = {"": NamedVectors(np.arange(15), account.texts.rows["v2"][:15])}
    condition = Filter(must=(HasVector(""), HasId(frozenset({5, 14, 1}))))
    virtual.update_vectors(
        PointBatch(
            range(15), {"": NamedVectors(named[""].positions, -named[""].values)}, [None] * 15
        ),
        condition=condition,
    ).result()
    records = virtual.retrieve(range(15), with_vectors=True)
    turned = {
        r.id
        for r in records
        if r.vectors and float(r.vectors[""] @ named[""].values[int(str(r.id))]) < 0  # type: ignore[operator]
    }
    assert turned == {5, 14}
    virtual.delete(without).result()
    assert {r.id for r in collection.scroll(None, 100)[0]} == {*range(5, 15)}
    collection.versions.activate("", "v2", force=True)
    collection.delete(without).result()
    assert collection.count() == 10
    collection.showing("v1").delete(without).result()
    assert {r.id for r in collection.scroll(None, 100)[0]} == {*range(5, 10)}
