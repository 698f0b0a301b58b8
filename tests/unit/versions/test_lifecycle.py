"""Declaring, activating, retiring and dropping: refused where it would lose, else exact."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Act,
    AdapterNotFound,
    Collection,
    Database,
    Distance,
    DropVersion,
    FitAdapter,
    InvalidConfig,
    InvalidInput,
    MaintenanceConfig,
    MigratePoints,
    NamedVectors,
    PointBatch,
    SearchRequest,
    SparseConfig,
    UnknownVectorName,
    VectorConfig,
    VersionConflict,
    VersionNotFound,
)
from palimpsest.index.kinds.dense.kind import DenseKind
from tests.conftest import OpenCollection, open_collection
from tests.unit.versions.beside import Beside
from tests.unit.versions.mixed import SIZES, Account, config_of, require_agrees, texts_of

N = 150


@pytest.fixture
def account(tmp_path: Path, rng: np.random.Generator) -> Iterator[Account]:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in SIZES}
    collection = open_collection(tmp_path / "collection", config_of(spaces["v1"]))
    account = Account(collection, texts_of(N, rng), spaces)
    yield account
    account.collection.close()


def reopen(account: Account) -> Collection:
    account.collection.close()
    account.collection = open_collection(account.collection.folder)
    return account.collection


def states(collection: Collection, vector: str = "") -> dict[str, str]:
    return {one.version: one.state for one in collection.versions.states() if one.vector == vector}


def require_found(account: Account, name: str, version: str, *others: str) -> None:
    for place in range(3):
        query = account.query(version, place)
        found = account.collection.search(SearchRequest(query, name, k=2 * N, exact=True))
        require_agrees(found, account.expected(version, query, others))


def test_a_whole_upgrade_reopened_after_each_step(account: Account) -> None:
    """Declare, write, fit, activate, roll back, activate, retire, drop, declare again."""
    first_declared = account.collection.config.declared
    account.put("v1", range(N))

    def step(done: Callable[[Collection], object], **expected: str) -> None:
        done(account.collection)
        for _ in range(2):
            assert states(account.collection) == expected
            active = next(v for v, state in expected.items() if state == "active")
            other = [v for v, state in expected.items() if state == "serving"]
            other = [v for v in other if account.rows[v] and active == "v2"]
            require_found(account, "", active, *other)
            if "v2" in expected:
                require_found(
                    account,
                    "@v2",
                    "v2",
                    *(["v1"] if expected.get("v1") in ("active", "serving") else []),
                )
            require_found(account, f"@{active}", active, *other)
            reopen(account)

    account.declare("v2")
    account.put("v2", range(0, N, 3))
    account.fit("v1", "v2")
    step(lambda _: None, v1="active", v2="shadow")
    step(lambda one: one.versions.activate("", "v2", force=True), v1="serving", v2="active")
    assert account.collection.config.declared["vectors"] == {"size": 16, "distance": "cosine"}
    step(lambda one: one.versions.activate("", "v1", force=True), v1="active", v2="serving")
    assert account.collection.config.declared.get("vectors", {}) == first_declared.get(
        "vectors", {}
    )
    step(lambda one: one.versions.activate("", "v2", force=True), v1="serving", v2="active")
    account.put("v2", range(N))
    step(lambda one: one.versions.retire("", "v1"), v1="retired", v2="active")
    step(lambda one: one.versions.activate("", "v1"), v1="active", v2="serving")
    step(lambda one: one.versions.activate("", "v2"), v1="serving", v2="active")
    account.collection.upkeep.seal()
    account.rows["v1"].clear()
    step(lambda one: one.versions.drop("", "v1"), v2="active")
    assert [*(account.collection.folder / "adapters").iterdir()] == []
    named = {part.name for part in (account.collection.folder / "segments").iterdir()}
    assert named == {part.segment.name for part in account.collection.view.vectors[1].sealed}
    account.declare("v1")
    account.put("v1", range(5))
    account.rows["v1"].clear()
    step(lambda _: None, v2="active", v1="shadow")
    assert account.collection.config.columns == (None, "", "@v1")


def test_points_and_coverage(account: Account) -> None:
    account.declare("v2")
    account.put("v1", range(100))
    account.put("v2", range(80, 120))
    account.create(range(130, 140))
    first, second = account.collection.versions.states()
    assert (first.version, first.points, first.coverage) == ("v1", 100, 100 / 120)
    assert (second.version, second.points, second.coverage) == ("v2", 40, 40 / 120)
    assert (second.size, second.distance, second.mapped_from) == (16, Distance.COSINE, None)
    account.delete(range(0, 90))
    first, second = account.collection.versions.states()
    assert (first.points, second.points, second.coverage) == (10, 30, 1.0)


def require_no_other_folders(collection: Collection) -> None:
    folders = {part.name for part in (collection.folder / "segments").iterdir()}
    assert folders == {p.segment.name for v in collection.view.vectors.values() for p in v.sealed}


# What is refused.


def test_declaring(account: Account) -> None:
    collection, space = account.collection, account.spaces["v2"]
    assert collection.versions.declare("", "v2", space, declared={"a": 1})
    assert not collection.versions.declare("", "v2", space, declared={"a": 1})
    for wrong, error in (
        (("", "v2", replace(space, size=9)), VersionConflict),
        (("", "a@b", space), InvalidConfig),
        (("text", "v2", space), UnknownVectorName),
        (("@v2", "v3", space), UnknownVectorName),
    ):
        with pytest.raises(error):
            collection.versions.declare(*wrong, declared={})
    assert states(reopen(account)) == {"v1": "active", "v2": "shadow"}


def test_activation_below_the_floors(account: Account) -> None:
    account.declare("v2")
    account.put("v1", range(N - 30))
    account.put("v2", range(30))
    account.put("v2", range(N - 30, N))
    collection = account.collection
    with pytest.raises(VersionConflict, match=r"90 points hold only version 'v1' and no") as error:
        collection.versions.activate("", "v2", coverage_floor=0, quality_floor=0)
    migrate = MigratePoints("", "v2"), Act.FORCE
    assert error.value.remedies == (FitAdapter("", "v1", "v2"), *migrate)
    fitted = account.fit("v1", "v2")
    quality = (60 + 90 * fitted.quality) / N
    said = rf"0\.400 of the points.*{quality:.3f} of its own"
    with pytest.raises(VersionConflict, match=said) as error:
        collection.versions.activate("", "v2", coverage_floor=0.41, quality_floor=quality + 0.01)
    assert error.value.remedies == migrate
    assert states(collection) == {"v1": "active", "v2": "shadow"}
    for floors in ((0.4, 1.0), (1.0, quality - 0.01)):
        collection.versions.activate("", "v2", coverage_floor=floors[0], quality_floor=floors[1])
        assert states(collection) == {"v1": "serving", "v2": "active"}
        with pytest.raises(VersionConflict, match="30 points hold only version 'v2'"):
            collection.versions.activate("", "v1")
        collection.versions.activate("", "v1", force=True)
    collection.versions.activate("", "v1", coverage_floor=2)  # it is


def test_rows_that_were_never_in_force_hold_no_activation_back(account: Account) -> None:
    account.declare("v2", "v3")
    account.put("v1", range(50))
    account.put("v2", range(50))
    account.put("v3", range(40, N))
    account.collection.versions.activate("", "v2")
    require_found(account, "", "v2")
    assert states(account.collection) == {"v1": "serving", "v2": "active", "v3": "shadow"}


def test_dropping_and_retiring(account: Account) -> None:
    account.declare("v2", "v3")
    account.put("v1", range(100))
    account.put("v2", range(90, 120))
    collection = account.collection
    for change in (collection.versions.drop, collection.versions.retire):
        for force in (False, True):
            with pytest.raises(VersionConflict, match="active"):
                change("", "v1", force=force)
        with pytest.raises(VersionConflict, match="20 points hold no other version") as error:
            change("", "v2")
        assert error.value.remedies == (MigratePoints("", "v1"), Act.FORCE)
        with pytest.raises(VersionNotFound):
            change("", "v9", force=True)
        with pytest.raises(UnknownVectorName):
            change("text", "v2", force=True)
    collection.versions.retire("", "v3")
    collection.versions.drop("", "v3")
    account.put("v1", range(100, 120))
    collection.versions.drop("", "v2")
    assert states(reopen(account)) == {"v1": "active"}
    require_found(account, "", "v1")
    account.rows["v2"].clear()


def test_retired_versions_are_no_reason_to_drop_another(account: Account) -> None:
    account.declare("v2", "v3")
    for version in ("v1", "v2", "v3"):
        account.put(version, range(10))
    collection = account.collection
    collection.versions.activate("", "v3")
    collection.versions.retire("", "v1")
    account.delete(range(5))
    collection.delete_vectors([5, 6], ["@v3"]).result()
    with pytest.raises(VersionConflict, match="2 points hold no other version"):
        collection.versions.drop("", "v2")
    collection.versions.drop("", "v1")  # each still has v2
    collection.versions.drop("", "v2", force=True)
    assert states(collection) == {"v3": "active"}
    assert collection.count() == 5


def test_adapters_go_by_themselves_and_with_their_versions(account: Account) -> None:
    account.declare("v2", "v3")
    account.put("v1", range(N))
    for rows, queries in (("v1", "v2"), ("v1", "v3"), ("v2", "v1")):
        account.fit(rows, queries, "procrustes")
    collection, folder = account.collection, account.collection.folder / "adapters"

    def ends() -> set[tuple[str, str]]:
        found = {(one.rows, one.queries) for one in account.collection.versions.adapters()}
        assert len(found) == len([*folder.iterdir()])
        return found

    assert ends() == {("v1", "v2"), ("v1", "v3"), ("v2", "v1")}
    collection.versions.drop_adapter("", "v2", "v1")
    for rows, queries, error in (
        ("v2", "v1", AdapterNotFound),
        ("v2", "v9", VersionNotFound),
    ):
        with pytest.raises(error):
            collection.versions.drop_adapter("", rows, queries)
    assert ends() == {("v1", "v2"), ("v1", "v3")}
    reopen(account)
    assert ends() == {("v1", "v2"), ("v1", "v3")}
    account.collection.versions.drop("", "v2")
    assert ends() == {("v1", "v3")}
    account.collection.drop_vector("", dict)
    assert ends() == set()
    reopen(account)
    assert ends() == set() and account.collection.config.columns == (None, None, None)


# What else changes declarations.


def test_reconfiguring_beside_versions(account: Account) -> None:
    account.declare("v2")
    account.put("v1", range(N))
    collection, config = account.collection, account.collection.config
    changed = replace(config.vectors[""], encoding="1")  # type: ignore[type-var]
    upkeep = MaintenanceConfig(seal_rows=100)
    collection.reconfigure(
        replace(config, vectors={"": changed}, maintenance=upkeep, declared={"new": 1})
    )
    assert collection.config.vectors == {"": changed, "@v2": account.spaces["v2"]}
    assert collection.config.maintenance == upkeep and collection.config.declared == {"new": 1}
    assert states(collection) == {"v1": "active", "v2": "shadow"}
    wider = replace(config.dense[""], size=13)
    with pytest.raises(InvalidConfig):
        collection.reconfigure(replace(config, vectors={"": wider}))
    collection.versions.activate("", "v2", force=True)
    with pytest.raises(InvalidConfig):  # what the name meant when it was prepared
        collection.reconfigure(replace(config, vectors={"": changed}))
    assert states(reopen(account)) == {"v1": "serving", "v2": "active"}


def test_adding_and_dropping_vectors_beside_versions(account: Account) -> None:
    account.declare("v2")
    account.put("v1", range(10))
    account.put("v2", range(20))
    collection, space = account.collection, VectorConfig(3, Distance.DOT)
    for taken in ("", "@v1", "@v2"):
        with pytest.raises(InvalidConfig, match="declared already"):
            collection.add_vector(taken, space, dict)
    collection.add_vector("text", space, dict)
    collection.add_vector("words", SparseConfig(), dict)
    collection.versions.declare("text", "v2", space, declared={})
    assert collection.config.columns == ("", "@v2", "text", "words", "text@v2")
    for version in ("@v2", "text@v1", "@v1"):
        with pytest.raises(InvalidInput, match="is a version of a vector") as error:
            collection.drop_vector(version, dict)
        assert error.value.remedies == (DropVersion(*version.split("@")),)
    collection.versions.activate("", "v2", force=True)
    collection.upkeep.seal()
    collection.drop_vector("", dict)
    assert collection.config.columns == (None, None, "text", "words", "text@v2")
    assert [*(collection.folder / "segments").iterdir()] == []
    assert reopen(account).config.columns == (None, None, "text", "words", "text@v2")
    assert account.collection.count() == 20
    account.collection.add_vector("", space, dict)
    assert states(account.collection) == {"v1": "active"}
    query = np.ones(3, dtype=np.float32)
    assert account.collection.search(SearchRequest(query)).ids == []


# Beside other work.


@pytest.mark.parametrize("work", ["seal", "compact"])
def test_a_segment_finished_after_an_activation_is_put_in_its_own_version(
    account: Account, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version's name changes while its rows are being written to a segment."""
    account.declare("v2")
    account.put("v1", range(N))
    account.put("v2", range(N))
    for ends in (("v1", "v2"), ("v2", "v1")):  # of which each scales other rows
        account.fit(*ends)
    collection, upkeep = account.collection, account.collection.upkeep
    if work == "compact":
        upkeep.seal()
        account.delete(range(0, N, 2))  # enough are dead
    opened = DenseKind.open
    activated: list[str] = []

    def change(*arguments: object) -> object:
        version = "v1" if len(activated) % 2 else "v2"
        activated.append(version)
        collection.versions.activate("", version)
        return opened(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(DenseKind, "open", change)
        getattr(upkeep, work)()
    assert activated and upkeep.last_error is None
    for again in range(3):
        for version, other in (("v1", "v2"), ("v2", "v1")):
            require_found(account, f"@{version}", version, other)
            vectors = collection.view.find(f"@{version}")
            assert vectors is not None and vectors.config == account.spaces[version]
        if again == 0:
            upkeep.seal()
            upkeep.compact()
        if again == 1:
            collection = reopen(account)
    require_no_other_folders(collection)
    assert [len(one.sealed) for one in collection.view.vectors.values()] == [1, 1]


def test_writes_searches_and_upkeep_beside_changes_of_versions(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    """Every acknowledged write is in the version it names, whatever that is called by then."""
    n = 600
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in SIZES}
    config = config_of(spaces["v1"], seal_rows=64, tier_factor=2)
    account = Account(collection_of(config), texts_of(n, rng), spaces)
    account.declare("v2")
    collection, texts = account.collection, account.texts
    account.create(range(n))
    account.fit("v1", "v2")
    account.fit("v2", "v1", "procrustes")

    def write(version: str) -> None:
        for start in range(0, n, 20):
            ids = range(start, start + 20)
            named = NamedVectors(np.arange(20), texts.rows[version][start : start + 20])
            batch = PointBatch(ids, {f"@{version}": named}, [None] * 20)
            collection.update_vectors(batch).result()

    def search(version: str) -> None:
        query = account.query(version, 0)
        request = SearchRequest(query, f"@{version}", k=30, with_payload=True)
        for shown in (collection, collection.showing(version), collection.showing("v2")):
            found = shown.search(request)
            assert len({*found.ids}) == len(found.ids)
            assert np.all(np.diff(found.distances) >= 0)

    def work() -> None:
        collection.upkeep.seal()
        collection.upkeep.compact()

    with Beside() as beside:
        writers = [beside.run(lambda v=v: write(v)) for v in ("v1", "v2")]  # type: ignore[misc]
        beside.repeat(lambda: search("v1"))
        beside.repeat(lambda: search("v2"))
        beside.repeat(work)
        for turn in range(40):
            collection.versions.activate("", ("v2", "v1")[turn % 2], force=True)
            collection.versions.declare("", "v3", spaces["v3"], declared={})
            collection.versions.drop("", "v3")
        for thread in writers:
            thread.join()
    assert collection.upkeep.last_error is None
    assert states(collection) == {"v1": "active", "v2": "serving"}
    for version in ("v1", "v2"):
        records = collection.retrieve(range(n), with_vectors=(f"@{version}",))
        stored = np.stack([r.vectors[f"@{version}"] for r in records if r.vectors])  # type: ignore[misc]
        rows = texts.rows[version]
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        np.testing.assert_allclose(stored, unit, atol=1e-5)
    require_no_other_folders(collection)


def test_a_failure_of_a_version_that_is_gone_is_not_shown_for_ever(account: Account) -> None:
    account.declare("v2")
    upkeep = account.collection.upkeep
    upkeep.attempts.failed("seal", 1, "the disk was full")
    assert upkeep.last_error == "the disk was full"
    account.collection.versions.activate("", "v2", force=True)
    assert upkeep.last_error == "the disk was full"  # it is the same column under another name
    account.collection.versions.activate("", "v1", force=True)
    account.collection.versions.drop("", "v2", force=True)
    assert upkeep.last_error is None


# Stores of older formats.


def test_a_store_of_the_first_format_takes_versions(tmp_path: Path) -> None:
    golden = Path(__file__).parents[2] / "formats" / "collection_1.zip"
    with zipfile.ZipFile(golden) as archive:
        archive.extractall(tmp_path)
    with Database.open(tmp_path, threads=1) as database:
        collection = database.get("golden")
        (name, first) = next(iter(collection.config.dense.items()))
        held = collection.config.names
        ones = np.ones(first.size, dtype=np.float32)
        found = collection.search(SearchRequest(ones, name, k=1_000))
        collection.versions.declare(name, "v2", VectorConfig(3, Distance.DOT), declared={})
        rows = np.arange(3 * len(found.ids), dtype=np.float32).reshape(-1, 3)
        named = {f"{name}@v2": NamedVectors(np.arange(len(found.ids)), rows)}
        collection.update_vectors(PointBatch(found.ids, named, [None] * len(rows))).result()
        collection.versions.activate(name, "v2", force=True)
    with Database.open(tmp_path, threads=1) as database:
        collection = database.get("golden")
        assert sorted(collection.config.names) == sorted(held)
        assert collection.config.dense[name].size == 3
        old = collection.search(SearchRequest(ones, f"{name}@v1", k=1_000))
        assert list(old.ids) == list(found.ids)
        assert old.distances.tobytes() == found.distances.tobytes()
        new = collection.search(SearchRequest(ones[:1].repeat(3), name, k=1_000))
        assert list(new.ids) == list(found.ids)[::-1]


def test_a_store_with_an_at_in_a_vector_name(tmp_path: Path) -> None:
    """Such names were allowed; they mean what they meant, before and after an upgrade."""
    spaces = {name: VectorConfig(4, Distance.DOT) for name in ("text", "text@v2", "other")}
    collection = open_collection(tmp_path / "collection", config_of(spaces))
    rows = np.eye(4, dtype=np.float32)
    named = {n: NamedVectors(np.arange(4), rows * (i + 1)) for i, n in enumerate(spaces)}
    collection.upsert(PointBatch(range(4), named, [None] * 4)).result()
    with pytest.raises(VersionConflict):
        collection.versions.declare("text", "v2", spaces["text"], declared={})
    collection.versions.declare("text@v2", "v3", spaces["text"], declared={})
    collection.versions.declare("text", "v3", spaces["text"], declared={})
    collection.versions.activate("text@v2", "v3", force=True)
    collection.close()
    collection = open_collection(tmp_path / "collection")
    for name, length in (("text", 1), ("text@v1", 1), ("text@v2@v1", 2), ("other", 3)):
        found = collection.search(SearchRequest(rows[2], name, k=1))
        assert (found.ids, found.distances.tolist()) == ([2], [-length])
    assert states(collection, "text@v2") == {"v1": "serving", "v3": "active"}
    assert states(collection, "text") == {"v1": "active", "v3": "shadow"}
    collection.delete_vectors([2], ["text"]).result()
    (record,) = collection.retrieve([2], with_vectors=("text", "text@v2@v1", "other"))
    assert record.vectors is not None and {*record.vectors} == {"text@v2@v1", "other"}
    collection.drop_vector("text", dict)
    assert {*collection.config.vectors} == {"text@v2", "text@v2@v1", "other"}
    collection.close()
