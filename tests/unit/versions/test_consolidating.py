"""Rows mapped once: found by the queries they are for, and never in a better one's place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    AdapterNotFound,
    Collection,
    Distance,
    FitRequest,
    InvalidConfig,
    InvalidInput,
    MissingAdapter,
    NamedVectors,
    PointBatch,
    SearchRequest,
    VectorConfig,
    VersionConflict,
    VersionNotFound,
)
from tests.conftest import open_collection
from tests.unit.versions.mixed import (
    QUERIES,
    SIZES,
    Account,
    as_stored,
    config_of,
    payload_of,
    require_agrees,
    texts_of,
)

N = 1_300  # more than one piece
MAPPED = "v1-in-v2"


@pytest.fixture
def account(tmp_path: Path, rng: np.random.Generator) -> Iterator[Account]:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in SIZES}
    collection = open_collection(tmp_path / "collection", config_of(spaces["v1"]))
    account = Account(collection, texts_of(N, rng), spaces)
    account.declare("v2", "v3")
    account.put("v1", range(N))
    account.put("v2", range(0, N, 10))
    yield account
    account.collection.close()


def consolidate(account: Account) -> int:
    """Map rows; also in the account."""
    held = account.rows.setdefault(MAPPED, {})
    account.spaces[MAPPED] = account.spaces["v2"]
    left = [point for point in account.rows["v1"] if point not in account.rows["v2"] | held.keys()]
    adapter = account.adapter("v1", "v2").adapter
    if left:
        rows = adapter.map_rows(np.stack([account.rows["v1"][point] for point in left]))
        held.update(zip(left, rows, strict=True))
    return account.collection.versions.consolidate("", "v1", "v2")


def expected(account: Account, place: int) -> list[tuple[int, float]]:
    query = account.query("v2", place)
    found = {**account.native(MAPPED, as_stored(query[None, :], Distance.COSINE)[0])}
    found |= account.native("v2", query)
    return sorted(found.items(), key=lambda one: one[1])


def require_mapped(account: Account, name: str = "@v2") -> None:
    for place in range(QUERIES):
        query = account.query("v2", place)
        found = account.collection.search(SearchRequest(query, name, k=N, exact=True))
        require_agrees(found, expected(account, place))


@pytest.mark.parametrize("kind", ["ridge", "procrustes"])
def test_mapped_rows_are_found_as_the_adapter_estimates_them(account: Account, kind: str) -> None:
    account.fit("v1", "v2", kind)
    shares: list[float] = []
    with pytest.raises(AdapterNotFound):
        account.collection.versions.consolidate("", "v2", "v1")
    done = account.collection.versions.consolidate("", "v1", "v2", shares.append)
    assert done == N - N // 10 and shares[-1] == 1.0 and shares == sorted(shares)
    assert account.collection.versions.consolidate("", "v1", "v2") == 0
    consolidate(account)
    require_mapped(account)
    (mapped,) = (one for one in account.collection.versions.states() if one.version == MAPPED)
    assert (mapped.mapped_from, mapped.state, mapped.points) == ("v1", "serving", done)
    native = next(one for one in account.collection.versions.states() if one.version == "v2")
    assert native.points == N // 10 and native.coverage == 0.1


def test_old_queries_notice_nothing(account: Account) -> None:
    query = account.query("v1", 0)
    before = account.collection.search(SearchRequest(query, k=50, exact=True))
    account.fit("v1", "v2")
    consolidate(account)
    for mode in ("on", "off", "require"):
        after = account.collection.search(SearchRequest(query, k=50, exact=True, bridge=mode))
        assert list(after.ids) == list(before.ids)
        assert after.distances.tobytes() == before.distances.tobytes()
    assert after.stats.versions == []


def test_native_rows_and_new_texts_supersede_mapped_ones(account: Account) -> None:
    account.fit("v1", "v2")
    consolidate(account)
    account.put("v2", [1, 2, 3])  # native ones win
    account.put("v1", [4, 5])  # written anew: what was mapped of them is stale
    collection = account.collection
    names = ("@v1", "@v2", f"@{MAPPED}")

    def held(point: int) -> set[str]:
        (record,) = collection.retrieve([point], with_vectors=names)
        assert record.vectors is not None
        return {*record.vectors}

    assert held(4) == {"@v1"} and held(1) == {*names}
    rows = account.texts.rows["v1"][[6, 7]]
    named = {"": NamedVectors(np.arange(2), rows)}
    collection.upsert(PointBatch([6, 7], named, [payload_of(6), b'{"new": 1}'])).result()
    assert held(6) == held(7) == {"@v1"}
    both = {**named, "@v2": NamedVectors(np.arange(1), account.texts.rows["v2"][[8]])}
    both[""] = NamedVectors(np.arange(1), rows[:1])
    collection.upsert(PointBatch([8], both, [payload_of(8)])).result()
    assert held(8) == {"@v1", "@v2"}  # not the one mapped from what v1 was before
    new = {"@v2": NamedVectors(np.arange(1), account.texts.rows["v2"][[9]])}
    collection.upsert(PointBatch([9], new, [payload_of(9)])).result()
    assert held(9) == {*names}
    collection.delete_vectors([11], ["@v1"]).result()
    assert held(11) == set()
    assert collection.versions.consolidate("", "v1", "v2") == 4  # 4, 5, 6 and 7
    assert held(4) == held(7) == {"@v1", f"@{MAPPED}"}


def test_the_old_version_can_be_dropped_and_its_points_stay(account: Account) -> None:
    account.fit("v1", "v2")
    account.collection.versions.activate("", "v2", force=True)
    with pytest.raises(VersionConflict, match="1170 points hold no other version"):
        account.collection.versions.drop("", "v1")
    consolidate(account)
    account.collection.versions.drop("", "v1")
    account.rows.pop("v1")
    require_mapped(account, "")
    account.collection.upkeep.seal()
    account.collection.close()
    account.collection = open_collection(account.collection.folder)
    require_mapped(account, "")
    # the mapped rows are all that is left of most points
    account.put("v3", range(100))
    account.collection.versions.activate("", "v3", force=True)
    with pytest.raises(VersionConflict, match="1200 points hold no other version"):
        account.collection.versions.drop("", "v2")
    with pytest.raises(VersionConflict, match="1200 points hold no other version"):
        account.collection.versions.retire("", "v2")
    account.collection.versions.drop("", "v2", force=True)
    assert [one.version for one in account.collection.versions.states()] == ["v3"]
    assert account.collection.view.config.vectors.keys() == {""}
    found = account.collection.search(SearchRequest(account.query("v3", 0), k=N, exact=True))
    require_agrees(found, account.expected("v3", account.query("v3", 0)))
    assert account.collection.versions.adapters() == []
    assert [*(account.collection.folder / "adapters").iterdir()] == []


def test_mapped_rows_are_never_active_and_can_be_retired(account: Account) -> None:
    account.fit("v1", "v2")
    consolidate(account)
    collection = account.collection
    for force in (False, True):
        with pytest.raises(VersionConflict, match="mapped rows, which cannot be active"):
            collection.versions.activate("", MAPPED, force=force)
    collection.versions.retire("", MAPPED)
    query = account.query("v2", 0)
    found = collection.search(SearchRequest(query, "@v2", k=N, exact=True))
    require_agrees(found, account.expected("v2", query, ["v1"]))
    collection.versions.drop("", MAPPED)
    collection.versions.drop_adapter("", "v1", "v2")
    with pytest.raises(MissingAdapter):
        collection.search(SearchRequest(query, "@v2", bridge="require"))


def test_what_cannot_be_consolidated(account: Account) -> None:
    collection: Collection = account.collection
    for rows, queries, error in (
        ("v1", "v2", AdapterNotFound),
        ("v1", "v9", VersionNotFound),
        ("v9", "v2", VersionNotFound),
    ):
        with pytest.raises(error):
            collection.versions.consolidate("", rows, queries)
    account.fit("v1", "v2")
    collection.versions.declare("", MAPPED, account.spaces["v2"], declared={})
    with pytest.raises(VersionConflict, match="declared for rows of its own"):
        collection.versions.consolidate("", "v1", "v2")
    assert len(collection.versions.states()) == 4


def test_a_consolidation_goes_on_where_it_stopped(account: Account) -> None:
    account.fit("v1", "v2")
    collection = account.collection

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collection.versions.consolidate("", "v1", "v2", stop)
    query = account.query("v2", 0)
    found = collection.search(SearchRequest(query, "@v2", k=N, exact=True))
    assert len(found.ids) == N == len({*found.ids})
    collection.close()
    account.collection = open_collection(collection.folder)
    assert consolidate(account) == N - N // 10 - 1_024
    require_mapped(account)


def test_another_adapter_takes_the_place_of_one_row_by_row(account: Account) -> None:
    """Rows mapped before keep what they were mapped to; folders of old adapters do not stay."""
    account.fit("v1", "v2")
    consolidate(account)
    account.put("v1", [1])
    account.rows[MAPPED].pop(1)
    account.fit("v1", "v2", "procrustes")
    assert consolidate(account) == 1
    require_mapped(account)
    folders = [*(account.collection.folder / "adapters").iterdir()]
    assert len(folders) == len(account.collection.versions.adapters()) == 2


def test_mapped_rows_are_no_embedding_models(account: Account) -> None:
    """Nothing is fitted on them, mapped from them, or written in their place."""
    account.fit("v1", "v2")
    consolidate(account)
    collection = account.collection
    before = collection.versions.states()
    for ends in ((MAPPED, "v2"), ("v1", MAPPED), (MAPPED, "v3")):
        with pytest.raises(InvalidConfig, match="mapped from version 'v1' for queries of 'v2'"):
            collection.versions.fit(FitRequest(*ends, kind="prefix"))
    with pytest.raises(InvalidConfig, match="mapped from version 'v1'"):
        collection.versions.consolidate("", MAPPED, "v2")
    named = {f"@{MAPPED}": NamedVectors(np.arange(1), account.texts.rows["v2"][:1])}
    for write in (collection.upsert, collection.update_vectors):
        with pytest.raises(InvalidInput, match="mapped from those of another version"):
            write(PointBatch([1], named, [None]))
    assert collection.versions.states() == before and len(collection.versions.adapters()) == 2


def test_it_can_be_cancelled_and_goes_on_later(account: Account) -> None:
    account.fit("v1", "v2")
    collection = account.collection

    def cancel(_: float) -> None:
        (running,) = [job for job in collection.jobs() if job.state == "running"]
        collection.cancel_job(running.id)

    with pytest.raises(VersionConflict, match="goes on from there"):
        collection.versions.consolidate("", "v1", "v2", progress=cancel)
    ended = collection.jobs()[-1]
    assert (ended.kind, ended.state) == ("consolidate", "cancelled")
    assert 0 < ended.progress < 1
    assert consolidate(account) < N * 9 // 10
    assert collection.jobs()[-1].state == "done"
