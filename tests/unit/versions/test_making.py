"""Adapters are made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    AdapterInfo,
    Distance,
    FitRequest,
    VectorConfig,
)
from palimpsest.index.adapters.pairs import Pairs
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


def auto(account: Account, pairs: Pairs | None = None) -> AdapterInfo:
    account.put("v2", range(400))
    return account.collection.versions.fit(FitRequest("v1", "v2", pairs=pairs))


@pytest.mark.parametrize("gone", ["adapter", "version", "another", "closed"])
def test_what_is_gone_is_not_improved(
    account: Account, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    auto(account)
    collection = account.collection
    there, go = threading.Event(), threading.Event()
    original = making_module.improved

    def improved(*arguments: object) -> object:
        there.set()
        assert go.wait(30)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(making_module, "improved", improved)
    thread = threading.Thread(target=collection.upkeep.improve)
    thread.start()
    assert there.wait(30)
    (shown,) = collection.versions.adapters()
    assert shown.improving is not None and shown.improving.stage == "trying mlp"
    if gone == "adapter":
        collection.versions.drop_adapter("", "v1", "v2")
    elif gone == "version":
        collection.versions.drop("", "v2")
    elif gone == "closed":
        collection.upkeep.stop()
    else:
        threading.Timer(0.1, go.set).start()
        shown = collection.versions.fit(FitRequest("v1", "v2", kind="procrustes"))
    go.set()
    thread.join(30)
    assert not thread.is_alive() and collection.upkeep.last_error is None
    left = [(one.kind, one.untried) for one in collection.versions.adapters()]
    if gone in ("adapter", "version"):
        assert left == []
    elif gone == "another":
        assert left == [("procrustes", ())]
    else:
        assert left == [(shown.kind, ("mlp",))]


def test_a_caller_comes_before_a_fit_that_is_made_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.put("v2", range(100))
    collection = account.collection
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))
    account.put("v2", range(100, 400))
    there, go = threading.Event(), threading.Event()
    original = making_module.fit

    def fit(kind: object, *arguments: object) -> object:
        if kind == "ridge":
            there.set()
            assert go.wait(30)
        return original(kind, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(making_module, "fit", fit)
    thread = threading.Thread(target=collection.fitting.fit_again)
    thread.start()
    assert there.wait(30)
    assert [one.state for one in collection.versions.adapters()] == ["fitted", "fitting"]
    threading.Timer(0.1, go.set).start()
    shown = collection.versions.fit(FitRequest("v1", "v2", kind="procrustes"))
    thread.join(30)
    assert collection.versions.adapters() == [shown] and shown.kind == "procrustes"
