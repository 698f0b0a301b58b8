"""Segments that were written without a probe are probed later, and written anew if they fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Database, Distance
from palimpsest.index.segments import seal
from palimpsest.index.segments.deciding import RULE, Probed, measured
from palimpsest.index.types import Vectors
from tests.conftest import open_collection
from tests.points import config_of
from tests.unit.segments.bad import only, sealed, with_random_codes
from tests.unit.upkeep.test_derived_files import wait_until

ROWS, SIZE = 6_000, 32


def base() -> Vectors:
    rng = np.random.default_rng(4)
    return rng.standard_normal((ROWS, SIZE)).astype(np.float32)


def without_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have segments written as releases did that knew no probe."""

    def unprobed(parts: Any, to: Any, *_: Any) -> tuple[Any, None]:
        return seal._coded(parts.rows.vectors, to, seal._bits(to.config)), None

    monkeypatch.setattr(seal, "_probed", unprobed)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that leaves a closed collection with a segment nobody has probed."""

    def leave(bad: bool = False, **choices: object) -> Path:
        with monkeypatch.context() as patch:
            without_probe(patch)
            if bad:
                with_random_codes(patch, int(str(choices.get("encoding", "4"))))
            folder = tmp_path / "database" / "collections" / "c"
            folder.mkdir(parents=True)
            collection = open_collection(folder, config_of(SIZE, Distance.EUCLID, **choices))
            segment = sealed(collection, base())
            assert "probe" not in segment.description and segment.decision == "unprobed"
            collection.close()
        return folder

    return leave


def test_one_that_holds_is_probed_and_left_as_it_is(old: Callable[..., Path]) -> None:
    collection = open_collection(old())
    before = only(collection)
    assert collection.upkeep.due.compact_delay() == 0
    collection.upkeep.compact()
    assert collection.upkeep.last_error is None
    assert only(collection) is before and before.decision == "planned"
    assert before.found is not None and before.found.recall.mean > 0.98
    assert collection.upkeep.due.compact_delay() is None
    collection.close()


@pytest.mark.parametrize("originals", ["float32", "int8"])  # codes alone are the originals
def test_one_that_fails_is_written_anew(old: Callable[..., Path], originals: str) -> None:
    collection = open_collection(old(bad=True, originals=originals, encoding="8"))
    before = only(collection)
    collection.upkeep.compact()
    if only(collection) is before:
        assert before.decision == "short" and collection.upkeep.due.pending() == ROWS
        collection.upkeep.compact()
    after = only(collection)
    assert after.name != before.name and collection.upkeep.last_error is None
    assert after.probed is not None and after.probed.decision == "planned"
    assert collection.upkeep.due.compact_delay() is None and collection.upkeep.due.pending() == 0
    collection.close()


def test_one_of_codes_alone_that_fails_is_written_anew(
    old: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Searches find what its codes tell, whatever its graph is like, so that it is told to fail."""
    collection = open_collection(old(originals="none", encoding="8"))
    before = only(collection)
    assert before.codes is not None

    def short(*given: Any) -> Probed:
        return measured(*given)._replace(decision="short")

    monkeypatch.setattr("palimpsest.index.kinds.dense.probing.measured", short)
    collection.upkeep.compact()
    if only(collection) is before:
        assert before.decision == "short" and collection.upkeep.due.pending() == ROWS
        collection.upkeep.compact()
    after = only(collection)
    assert after.name != before.name and collection.upkeep.last_error is None
    assert after.probed is not None and after.probed.decision == "planned"
    assert after.codes is not None
    assert (after.codes[np.argsort(after.ids)] == before.codes[np.argsort(before.ids)]).all()
    assert collection.upkeep.due.compact_delay() is None and collection.upkeep.due.pending() == 0
    collection.close()


def test_one_that_cannot_be_better_is_written_once(
    old: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is decided of it stands in its description then, and is not asked again."""
    folder = old(bad=True)
    with_random_codes(monkeypatch, 4)
    collection = open_collection(folder)
    for _ in range(4):
        collection.upkeep.compact()
    after = only(collection)
    assert after.probed is not None and after.probed.decision not in ("planned", "unprobed")
    assert not after.is_noted and collection.upkeep.due.compact_delay() is None
    collection.close()
    again = open_collection(folder)
    assert only(again).name == after.name and again.upkeep.due.compact_delay() is None
    assert only(again).effort == after.effort
    again.close()


def test_one_that_fell_short_by_an_older_rule_is_probed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "c"
    config = config_of(SIZE, Distance.EUCLID, encoding="1", originals="none", fixed_encoding=True)
    collection = open_collection(folder, config)
    before = sealed(collection, base())
    assert before.decision == "short" and collection.upkeep.due.compact_delay() is None
    monkeypatch.setattr("palimpsest.index.kinds.dense.probing.RULE", RULE + 1)
    assert collection.upkeep.due.compact_delay() == 0
    collection.upkeep.compact()
    assert only(collection).is_noted or only(collection).name != before.name
    collection.close()


def test_a_database_does_it_by_itself(old: Callable[..., Path]) -> None:
    folder = old(bad=True)
    with Database.open(folder.parent.parent, threads=2) as database:
        collection = database.get("c")

        def is_done() -> bool:
            return only(collection).probed is not None

        wait_until(is_done)
        assert only(collection).decision == "planned"


def test_a_probe_ends_with_the_collection(old: Callable[..., Path]) -> None:
    collection = open_collection(old())
    collection.upkeep.stop()
    collection.upkeep.compact()
    assert not only(collection).is_noted and collection.upkeep.last_error is None
    collection.close()


def test_a_failure_is_shown_and_tried_again(
    old: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = open_collection(old())

    def fail(*args: object) -> None:
        raise RuntimeError("no originals")

    with monkeypatch.context() as patch:
        patch.setattr("palimpsest.index.kinds.dense.probing.draw", fail)
        collection.upkeep.compact()
    assert "no originals" in (collection.upkeep.last_error or "")
    assert (collection.upkeep.due.compact_delay() or 0) > 0
    collection.upkeep.compact()
    assert collection.upkeep.last_error is None and only(collection).decision == "planned"
    collection.close()
