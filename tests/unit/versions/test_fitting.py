"""Fits on held points and on given pairs: what is held out, what is refused, what runs beside."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Act,
    AdapterInfo,
    Collection,
    Database,
    Distance,
    FitAdapter,
    FitRequest,
    InvalidConfig,
    InvalidPairs,
    MissingAdapter,
    PairPoints,
    SearchRequest,
    UnknownVectorName,
    VectorConfig,
    VersionConflict,
    VersionNotFound,
)
from palimpsest.index.adapters import choosing
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.types import OutOfReach
from palimpsest.index.versions import making as making_module
from tests.conftest import open_collection
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of

N = 600


@pytest.fixture
def account(tmp_path: Path, rng: np.random.Generator) -> Iterator[Account]:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in SIZES}
    collection = open_collection(tmp_path / "collection", config_of(spaces["v1"]))
    account = Account(collection, texts_of(N, rng), spaces)
    account.declare("v2", "v3")
    account.put("v1", range(N))
    yield account
    account.collection.close()


def fitted_of(collection: Collection) -> Fitted:
    (fitted,) = collection.writer.fitted.values()
    return fitted


def pairs_of(account: Account, n: int = N) -> Pairs:
    return Pairs(account.texts.rows["v1"][:n], account.texts.rows["v2"][:n])


# What is fitted on.


def test_points_that_hold_both_are_the_pairs(account: Account) -> None:
    account.put("v2", range(0, 400, 2))
    shown = account.collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))
    assert (shown.rows, shown.queries, shown.kind, shown.state) == ("v1", "v2", "ridge", "fitted")
    assert shown.pairs + shown.held_out == 200
    assert 20 < shown.held_out < 60
    assert account.collection.versions.adapters() == [shown]
    assert shown.progress == 1.0 and shown.fitted_at is not None and shown.report
    some = FitRequest("v1", "v2", kind="ridge", max_pairs=100)
    shown = account.collection.versions.fit(some)
    assert shown.pairs + shown.held_out <= 100 and shown.held_out <= 20


def test_held_out_points_are_never_fitted_on(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor by a later fit on more points."""
    seen: dict[str, list[Pairs]] = {"fit": [], "held": []}
    original = making_module.fit

    def fit(kind: object, pairs: Pairs, *others: object) -> object:
        seen["fit"].append(pairs)
        return original(kind, pairs, *others)  # type: ignore[arg-type]

    report = making_module.report

    def measure(adapter: object, held: Pairs, **others: object) -> object:
        seen["held"].append(held)
        return report(adapter, held, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(making_module, "fit", fit)
    monkeypatch.setattr(making_module, "report", measure)
    for stop in (200, 400, N):
        account.put("v2", range(stop))
        account.collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))

    def texts(pairs: Pairs) -> set[bytes]:
        return {row.tobytes() for row in pairs.rows}

    for held in seen["held"]:
        for fit_part in seen["fit"]:
            assert not texts(held) & texts(fit_part)
    assert [len(h.rows) + len(f.rows) for h, f in zip(*seen.values(), strict=True)] == [200, 400, N]
    for pairs in (*seen["fit"], *seen["held"]):  # row by row the same points
        for row, query in zip(pairs.rows[:20], pairs.queries[:20], strict=True):
            stored = np.stack(list(account.rows["v1"].values()))
            point = list(account.rows["v1"])[int(np.argmax(stored @ row))]
            np.testing.assert_allclose(query, account.rows["v2"][point], atol=1e-5)


def test_sealed_and_growing_points_give_the_same_fit(account: Account) -> None:
    account.put("v2", range(300))
    request = FitRequest("v1", "v2", kind="ridge")
    account.collection.versions.fit(request)
    before = fitted_of(account.collection).adapter.arrays()
    account.collection.upkeep.seal()
    account.collection.versions.fit(request)
    after = fitted_of(account.collection).adapter.arrays()
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_it_comes_back_bit_by_bit(account: Account) -> None:
    account.put("v2", range(300))
    account.collection.versions.fit(FitRequest("v1", "v2"))
    before, shown = fitted_of(account.collection), account.collection.versions.adapters()
    request = SearchRequest(account.query("v2", 0), "@v2", k=50, exact=True)
    found = account.collection.search(request)
    account.collection.close()
    account.collection = open_collection(account.collection.folder)
    after = fitted_of(account.collection)
    for name, array in before.adapter.arrays().items():
        np.testing.assert_array_equal(array, after.adapter.arrays()[name])
    assert after.merge.to_json() == before.merge.to_json()
    assert account.collection.versions.adapters() == shown
    again = account.collection.search(request)
    assert list(again.ids) == list(found.ids)
    assert again.distances.tobytes() == found.distances.tobytes()


def test_training_free_kinds_need_no_pairs(account: Account) -> None:
    for request in (
        FitRequest("v1", "v2", kind="prefix"),
        FitRequest("v1", "v2", kind="matrix", matrix=np.eye(16, 12, dtype=np.float32)),
    ):
        account.collection.versions.fit(request)
        found = account.collection.search(SearchRequest(account.query("v2", 0), "@v2", k=7))
        assert len(found.ids) == 7
        assert account.collection.fitting.due() is None
    with pytest.raises(InvalidConfig, match="identity"):
        account.collection.versions.fit(FitRequest("v1", "v2", kind="identity"))


# Fitting again.


def test_it_is_fitted_again_when_pairs_have_doubled(account: Account) -> None:
    account.put("v2", range(100))
    collection = account.collection
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge", max_pairs=300))
    account.put("v2", range(100, 199))
    assert collection.fitting.due() is None
    account.put("v2", [199])
    due = collection.fitting.due()
    assert due is not None and (due.rows, due.queries, due.kind) == ("v1", "v2", "ridge")
    assert due.max_pairs == 300 and due.pairs is None
    collection.upkeep.compact()
    (one,) = collection.versions.adapters()
    assert one.pairs + one.held_out == 200 and collection.fitting.due() is None
    account.put("v2", range(N))
    for _ in range(2):  # up to the most that are wanted, once
        collection.upkeep.compact()
        collection.upkeep.seal()
        collection.upkeep.compact()
    (one,) = collection.versions.adapters()
    assert one.pairs + one.held_out == 300
    assert collection.fitting.due() is None and collection.upkeep.last_error is None
    assert len([*(collection.folder / "adapters").iterdir()]) == 1


@pytest.mark.parametrize("active", ["v1", "v2"])
def test_it_is_fitted_again_whatever_its_versions_are_called(account: Account, active: str) -> None:
    account.put("v2", range(100))
    collection = account.collection
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))
    collection.versions.activate("", active, force=True)
    account.put("v2", range(100, 250))
    collection.upkeep.compact()
    one, *others = collection.versions.adapters()
    assert (one.rows, one.queries, one.pairs + one.held_out) == ("v1", "v2", 250)
    assert len(others) == (active == "v2")  # the way back, which waits


class Watched(dict[Any, Any]):
    """Adapters; after the ``at``-th look at them a version is dropped."""

    def __init__(self, of: Mapping[Any, Any], at: int, drop: Callable[[], object]) -> None:
        super().__init__(of)
        self._left, self._drop = at, drop

    def _looked(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._drop()

    def items(self) -> Any:
        found = [*super().items()]
        self._looked()
        return found

    def get(self, *args: Any) -> Any:
        found = super().get(*args)
        self._looked()
        return found


@pytest.mark.parametrize("dropped", ["v1", "v2"])
@pytest.mark.parametrize("at", range(1, 9))
def test_a_version_may_be_dropped_at_any_moment_of_upkeep(
    account: Account, at: int, dropped: str
) -> None:
    """Nothing is wrong then, and nothing is said to be."""
    account.put("v2", range(100))
    collection = account.collection
    collection.versions.fit(FitRequest("v1", "v2", kind="auto"))
    if dropped == "v1":
        collection.versions.activate("", "v2", force=True)
    account.put("v2", range(N))
    collection.upkeep.seal()

    def drop() -> None:
        collection.versions.drop("", dropped, force=True)

    collection.writer.fitted = Watched(collection.writer.fitted, at, drop)
    for _ in range(3):
        collection.upkeep.due.compact_delay()
        collection.upkeep.compact()
        assert collection.upkeep.last_error is None
    collection.upkeep.seal()
    assert collection.upkeep.last_error is None


def test_what_a_caller_gave_is_not_replaced_by_held_points(account: Account) -> None:
    account.put("v2", range(N))
    anchors = pairs_of(account, 40)
    for request in (
        FitRequest("v1", "v2", kind="ridge", pairs=pairs_of(account, 100)),
        FitRequest("v1", "v2", kind="relative", anchors=anchors, max_pairs=100),
        FitRequest("v1", "v2", kind="ridge", shrinkage=0.5, max_pairs=100),
        FitRequest("v1", "v2", kind="low_rank", rank=3, max_pairs=100),
        FitRequest("v1", "v2", kind="ridge", holdout=0.5, max_pairs=100),
    ):
        account.collection.versions.fit(request)
        assert account.collection.fitting.due() is None


def test_factors_of_new_rows_are_there_before_searches(account: Account) -> None:
    collection = account.collection
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge", pairs=pairs_of(account)))
    collection.upkeep.seal()
    assert not collection.fitting.warming.unwarmed()
    fitted = fitted_of(collection)
    (part,) = collection.view.vectors[0].sealed
    rows = part.segment.vectors_of(np.arange(part.n))  # type: ignore[union-attr]
    factors = fitted.factors.of(part.segment.name, part.segment, part.n)  # type: ignore[arg-type]
    np.testing.assert_array_equal(factors, fitted.adapter.row_factors(rows))
    collection.search(SearchRequest(account.query("v2", 0), "@v2"))
    account.put("v1", range(400))  # most are dead now
    collection.search(SearchRequest(account.query("v2", 0), "@v2"))
    collection.upkeep.seal()
    collection.upkeep.compact()
    collection.fitting.warming.warm()
    sealed = [p.segment.name for p in collection.view.vectors[0].sealed]
    assert all(fitted.factors.has(name, 1) for name in sealed)
    assert part.segment.name not in sealed and not fitted.factors.has(part.segment.name, 1)


# Dearer kinds, in the background.


def kinds_of(shown: AdapterInfo) -> list[str]:
    return [one["kind"] for one in shown.report["kinds"]]


def auto(account: Account, pairs: Pairs | None = None) -> AdapterInfo:
    account.put("v2", range(400))
    return account.collection.versions.fit(FitRequest("v1", "v2", pairs=pairs))


def test_quick_kinds_answer_and_dearer_ones_are_tried_later(account: Account) -> None:
    shown = auto(account)
    collection = account.collection
    assert "ridge" in kinds_of(shown) and "mlp" not in kinds_of(shown)
    assert (shown.untried, shown.improving) == (("mlp",), None)
    before = fitted_of(collection)
    collection.upkeep.improve()
    (after,) = collection.versions.adapters()
    assert kinds_of(after) == [*kinds_of(shown), "mlp"] and after.untried == ()
    assert after.kind == shown.kind and after.fitted_at == shown.fitted_at  # it is no better here
    assert fitted_of(collection).factors is before.factors  # so none is computed again
    assert collection.upkeep.due.improve_delay() is None
    assert len([*(collection.folder / "adapters").iterdir()]) == 1
    assert collection.upkeep.last_error is None


def test_a_better_kind_replaces_the_adapter(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "WORTH_RESCORING", -1.0)
    shown = auto(account)
    account.collection.upkeep.improve()
    (after,) = account.collection.versions.adapters()
    assert after.kind == "mlp" != shown.kind
    assert after.untried == () and after.report["verdict"]
    assert len(account.collection.search(SearchRequest(account.query("v2", 0), "@v2")).ids) == 10
    assert len([*(account.collection.folder / "adapters").iterdir()]) == 1


def test_after_a_restart_held_points_are_tried_on_and_given_pairs_are_gone(
    account: Account,
) -> None:
    for pairs, tried in ((None, True), (pairs_of(account), False)):
        auto(account, pairs)
        account.collection.close()
        account.collection = open_collection(account.collection.folder)
        (shown,) = account.collection.versions.adapters()
        assert shown.untried == ("mlp",)
        assert (account.collection.fitting.improvable() is not None) is tried
        account.collection.upkeep.improve()
        (shown,) = account.collection.versions.adapters()
        assert ("mlp" in kinds_of(shown)) is tried


def test_given_pairs_are_tried_on_while_they_are_there(account: Account) -> None:
    shown = auto(account, pairs_of(account))
    account.collection.upkeep.improve()
    (after,) = account.collection.versions.adapters()
    assert kinds_of(after) == [*kinds_of(shown), "mlp"]
    assert (after.pairs, after.held_out) == (shown.pairs, shown.held_out)


# What is refused.


@pytest.mark.parametrize(
    "request_, error, text",
    [
        (FitRequest("v1", "v1"), InvalidConfig, "got 'v1' twice"),
        (FitRequest("v1", "v9"), VersionNotFound, "'v9'"),
        (FitRequest("v9", "v2"), VersionNotFound, "'v9'"),
        (FitRequest("v1", "v2", "text"), UnknownVectorName, "text"),
        (FitRequest("v1", "v2", holdout=0.0), InvalidConfig, "holdout"),
        (FitRequest("v1", "v2", holdout=0.6), InvalidConfig, "holdout"),
        (FitRequest("v1", "v2", max_pairs=0), InvalidConfig, "max_pairs"),
        (FitRequest("v1", "v2"), InvalidPairs, "at least"),
        (FitRequest("v1", "v2", kind="ridge"), InvalidPairs, "at least"),
    ],
)
def test_what_cannot_be_fitted(
    account: Account, request_: FitRequest, error: type[Exception], text: str
) -> None:
    account.put("v2", range(5))
    with pytest.raises(error, match=text):
        account.collection.versions.fit(request_)
    assert account.collection.versions.adapters() == []
    assert [*(account.collection.folder / "adapters").iterdir()] == []


def test_too_few_pairs_are_told_with_the_version_to_write(account: Account) -> None:
    account.put("v2", range(5))
    for rows, queries in (("v1", "v2"), ("v2", "v1")):
        with pytest.raises(InvalidPairs) as error:
            account.collection.versions.fit(FitRequest(rows, queries))
        assert error.value.remedies == (PairPoints("", "v2"), Act.GIVE_PAIRS)


def test_pairs_that_determine_no_map(account: Account) -> None:
    good = pairs_of(account, 100)
    nan = good.rows.copy()
    nan[3, 2] = np.nan
    for rows, queries in (
        (good.rows[:99], good.queries),
        (nan, good.queries),
        (np.ones_like(good.rows), good.queries),
        (good.rows[:, :5], good.queries),
        (good.rows, good.queries[:, :5]),
        (good.rows[:4], good.queries[:4]),
        (np.zeros_like(good.rows), good.queries),
        (good.rows[:0], good.queries[:0]),
    ):
        for kind in ("auto", "ridge", "procrustes"):
            request = FitRequest("v1", "v2", kind=kind, pairs=Pairs(rows, queries))  # type: ignore[arg-type]
            with pytest.raises(InvalidPairs):
                account.collection.versions.fit(request)
    assert account.collection.versions.adapters() == []


@pytest.mark.parametrize("n", [16, 20, 24, 40])
def test_few_pairs_either_serve_or_are_refused(account: Account, n: int) -> None:
    """Whatever of them happens to be held out."""
    for kind in ("auto", "ridge", "procrustes"):
        request = FitRequest("v1", "v2", kind=kind, pairs=pairs_of(account, n))  # type: ignore[arg-type]
        try:
            shown = account.collection.versions.fit(request)
        except InvalidPairs as error:
            assert "16" in str(error)
            continue
        assert shown.pairs >= 16
        account.collection.search(SearchRequest(account.query("v2", 0), "@v2"))


# What runs beside.


class Paused:
    """Holds a fit between measuring and storing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there, self.go = threading.Event(), threading.Event()
        original = making_module.report

        def report(*arguments: object, **named: object) -> object:
            self.there.set()
            assert self.go.wait(30)
            return original(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(making_module, "report", report)

    def fit(
        self, collection: Collection, request: FitRequest
    ) -> tuple[threading.Thread, list[object]]:
        outcome: list[object] = []

        def run() -> None:
            try:
                outcome.append(collection.versions.fit(request))
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert self.there.wait(30)
        return thread, outcome


def test_a_fit_under_way_is_shown_and_another_waits_for_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = Paused(monkeypatch)
    request = FitRequest("v1", "v2", kind="ridge", pairs=pairs_of(account))
    thread, outcome = paused.fit(account.collection, request)
    (shown,) = account.collection.versions.adapters()
    assert (shown.state, shown.stage, shown.fitted_at) == ("fitting", "measuring", None)
    assert 0 < shown.progress < 1 and shown.pairs + shown.held_out == N
    again = FitRequest("v1", "v2", kind="procrustes", pairs=pairs_of(account))
    second, after = paused.fit(account.collection, again)  # it waits
    assert [one.stage for one in account.collection.versions.adapters()] == ["measuring", "waiting"]
    paused.go.set()
    thread.join()
    second.join()
    (first,) = outcome
    assert isinstance(first, AdapterInfo) and first.kind == "ridge"
    assert account.collection.versions.adapters() == after


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("gone", ["version", "vector"])
def test_a_version_dropped_during_a_fit_gets_no_adapter(
    account: Account, monkeypatch: pytest.MonkeyPatch, gone: str, again: bool
) -> None:
    """Not even if another one of the same name is declared meanwhile."""
    paused = Paused(monkeypatch)
    request = FitRequest("v1", "v2", kind="ridge", pairs=pairs_of(account))
    thread, outcome = paused.fit(account.collection, request)
    collection = account.collection
    if gone == "version":
        collection.versions.drop("", "v2")
    else:
        collection.drop_vector("", dict)
        if again:
            collection.add_vector("", account.spaces["v1"], dict)
    if again:
        account.declare("v2")
    paused.go.set()
    thread.join()
    (error,) = outcome
    assert isinstance(error, VersionConflict)
    assert collection.versions.adapters() == []
    assert [*(collection.folder / "adapters").iterdir()] == []


def test_an_activation_during_a_fit_changes_nothing_of_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.put("v2", range(300))
    paused = Paused(monkeypatch)
    thread, _ = paused.fit(account.collection, FitRequest("v1", "v2", kind="ridge"))
    account.collection.versions.activate("", "v2", force=True)
    paused.go.set()
    thread.join()
    fitted, back = account.collection.versions.adapters()
    assert (fitted.rows, fitted.queries, fitted.state) == ("v1", "v2", "fitted")
    assert (back.rows, back.queries, back.state) == ("v2", "v1", "fitting")
    found = account.collection.search(SearchRequest(account.query("v2", 0), k=N))
    assert len(found.ids) == N


def test_points_written_during_a_fit(account: Account) -> None:
    """Vectors that move to other rows and other segments while they are gathered."""
    collection = account.collection
    account.put("v2", range(N))
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            while not stop.is_set():
                account.put("v1", range(0, N, 2))
                account.put("v2", range(0, N, 3))
                collection.upkeep.seal()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(5):
            shown = collection.versions.fit(FitRequest("v1", "v2", kind="procrustes"))
            assert shown.pairs + shown.held_out == N
    finally:
        stop.set()
        thread.join()
    assert failures == []


def test_closing_ends_a_fit(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    paused = Paused(monkeypatch)
    request = FitRequest("v1", "v2", kind="ridge", pairs=pairs_of(account))
    thread, outcome = paused.fit(account.collection, request)
    account.collection.close()
    paused.go.set()
    thread.join()
    assert isinstance(outcome[0], Exception)
    account.collection = open_collection(account.collection.folder)
    assert account.collection.versions.adapters() == []
    assert [*(account.collection.folder / "adapters").iterdir()] == []


# Files.


def test_a_damaged_adapter_is_named_and_replaced(tmp_path: Path, rng: np.random.Generator) -> None:
    """The points stay readable, searches say what they leave out, fitting again mends it."""
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    query = rng.normal(size=SIZES["v2"]).astype(np.float32)
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("docs", config_of(spaces["v1"]))
        account = Account(collection, texts_of(100, rng), spaces)
        account.declare("v2")
        account.put("v1", range(100))
        request = FitRequest("v1", "v2", kind="ridge", pairs=pairs_of(account, 100))
        collection.versions.fit(request)
        (folder,) = (collection.folder / "adapters").iterdir()
    file = folder / "matrix.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with Database.open(tmp_path, threads=1) as database:
        collection = database.get("docs")
        assert len(collection.retrieve([*range(100)])) == 100
        (shown,) = collection.versions.adapters()
        assert shown.state == "damaged" and str(file) in shown.stage
        with pytest.raises(MissingAdapter, match=re.escape(str(file))) as caught:
            collection.search(SearchRequest(query, "@v2", bridge="require"))
        assert caught.value.remedies == (FitAdapter("", "v1", "v2"), Act.LEAVE_OUT)
        assert "delete" not in str(caught.value)
        left_out = collection.search(SearchRequest(query, "@v2")).stats.out_of_reach
        assert left_out == [OutOfReach("", "v1", "v2", 100, shown.stage)]
        assert collection.state().last_error == shown.stage
        collection.versions.fit(request)
        assert collection.state().last_error is None
        assert [one.state for one in collection.versions.adapters()] == ["fitted"]
        assert len(collection.search(SearchRequest(query, "@v2")).ids) == 10
    assert not folder.exists()
    file = next((tmp_path / "collections" / "docs" / "adapters").iterdir()) / "matrix.npy"
    file.write_bytes(whole[:-1])
    with Database.open(tmp_path, threads=1) as database:
        database.get("docs").versions.drop_adapter("", "v1", "v2")
        assert database.get("docs").versions.adapters() == []


@pytest.mark.parametrize("how", ["flip", "truncate", "remove"])
@pytest.mark.parametrize("name", ["matrix.npy", "segment.json"])
def test_a_damaged_adapter_is_fitted_again_where_points_tell_of_it(
    how: str, name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    query = rng.normal(size=SIZES["v2"]).astype(np.float32)
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("docs", config_of(spaces["v1"]))
        account = Account(collection, texts_of(300, rng), spaces)
        account.declare("v2")
        account.put("v1", range(300))
        account.put("v2", range(200))
        collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))
        (folder,) = (collection.folder / "adapters").iterdir()
    file = folder / name
    whole = file.read_bytes()
    if how == "remove":
        file.unlink()
    else:
        changed = whole[:-1] + bytes([whole[-1] ^ 1])
        file.write_bytes(changed if how == "flip" else whole[:-1])
    with Database.open(tmp_path, threads=1) as database:
        collection = database.get("docs")
        until = time.monotonic() + 60
        while [one.state for one in collection.versions.adapters()] != ["fitted"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert collection.search(SearchRequest(query, "@v2", bridge="require")).ids
        assert collection.state().last_error is None
    with Database.open(tmp_path, threads=1) as database:
        assert [one.state for one in database.get("docs").versions.adapters()] == ["fitted"]


def test_folders_that_nothing_names_are_deleted_on_open(account: Account) -> None:
    account.put("v2", range(100))
    account.collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))
    folder = account.collection.folder / "adapters"
    for name in ("stray", "stray.tmp"):
        (folder / name).mkdir()
    account.collection.close()
    account.collection = open_collection(account.collection.folder)
    assert len([*folder.iterdir()]) == 1 == len(account.collection.versions.adapters())
