"""Damaged files are written anew by what is in memory, each kind in its way, and others left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from palimpsest.index import Collection
from palimpsest.index.checks.findings import Check, Finding, Severity
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS
from palimpsest.index.upkeep.healing import Healing
from tests.unit.doctor.making import make, opened


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with opened(make(tmp_path / "data", sealed=1_000, staged=3)) as made:
        yield made


def heal(
    collection: Collection, kind: str, name: str, severity: Severity, check: Check = "files"
) -> int:
    """Tell of a file; return how often the upkeep was woken."""
    woken: list[None] = []
    files = Local(collection.folder) / ADAPTERS
    healing = Healing(collection.writer, collection.fields, files, lambda: woken.append(None))
    (folder, *_) = sorted((collection.folder / kind).iterdir())
    healing.heal(Finding(severity, check, folder / name, "checksum"))
    return len(woken)


def lacking(collection: Collection) -> set[str]:
    parts = [part for one in collection.view.vectors.values() for part in one.sealed]
    return {name for part in parts for name in part.segment.lacking}


@pytest.mark.parametrize(
    ("name", "severity"), [("by_slot.npy", "damage"), ("ids.npy", "lost"), ("numbers.npy", "lost")]
)
def test_a_segment_whose_file_is_in_memory_is_due_to_be_written_anew(
    collection: Collection, name: str, severity: Severity
) -> None:
    assert collection.upkeep.due.parts_to_compact() == {}
    assert heal(collection, SEGMENTS, name, severity) == 1
    assert lacking(collection) == {name}
    assert sum(map(len, collection.upkeep.due.parts_to_compact().values())) == 1
    assert heal(collection, SEGMENTS, name, severity) == 1 and lacking(collection) == {name}
    collection.upkeep.compact()
    assert lacking(collection) == set()


def test_rows_that_are_in_no_other_file_are_left(collection: Collection) -> None:
    assert heal(collection, SEGMENTS, "kept.npy", "lost") == 0
    assert heal(collection, SEGMENTS, "by_slot.npy", "damage", check="rows") == 0
    assert lacking(collection) == set()


def test_a_payload_index_goes_to_a_fresh_folder(collection: Collection) -> None:
    before = {one.name for one in (collection.folder / FIELDS).iterdir()}
    assert before
    heal(collection, FIELDS, "postings.npy", "damage")
    after = {one.name for one in (collection.folder / FIELDS).iterdir()}
    listed = collection.writer.call(lambda: collection.writer.store.fields.entries()).result()
    assert {one.folder for one in listed} <= after - before
