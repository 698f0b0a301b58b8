"""A collection whose store lost what was answered gets back what its segments hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from palimpsest.index.doctor.restoring import main, restore
from palimpsest.index.errors import DirectoryLocked
from palimpsest.index.storage.directory_lock import lock_directory
from tests.unit.doctor.making import batch, copied, opened, whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store that has 20 staged points, and segments of 1,000 more that it knows nothing of."""
    folder = copied(tmp_path / "data", sealed=0, staged=20)
    before = {p: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    with opened(folder) as collection:
        collection.upsert(batch(range(5_000, 6_000), 9)).result()
        collection.upkeep.seal()
    for path, content in before.items():
        if path.name != "store.reach":
            path.write_bytes(content)
    return folder


def test_rows_of_segments_come_back_without_payloads(folder: Path) -> None:
    restored = restore(folder)
    assert (restored.stood_at_points, restored.segments, restored.unread) == (19, 2, ())
    assert restored.points_without_payload == 1_000 and restored.vectors == 2_000
    with opened(folder) as collection:
        assert collection.count() == 1_019
        (one,) = collection.retrieve([5_500], with_vectors=True)
        assert one.payload is None and set(one.vectors or {}) == {"", "words"}
    whole(folder.parent.parent)
    again = restore(folder)
    assert (again.vectors, again.points_without_payload) == (0, 0)


def test_a_segment_that_cannot_be_read_is_named_and_the_rest_restored(folder: Path) -> None:
    for segment in (folder / "segments").iterdir():
        if (segment / "kept.npy").exists():
            (segment / "kept.npy").write_bytes(b"x")
    restored = restore(folder)
    assert len(restored.unread) == 1 and restored.vectors == 1_000


def test_nothing_is_restored_beside_a_server(folder: Path) -> None:
    with lock_directory(folder.parent.parent), pytest.raises(DirectoryLocked):
        restore(folder)


def test_the_command_says_what_came_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([]) == 2 and "FOLDER" in capsys.readouterr().err
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert main([str(tmp_path / "a" / "b" / "нет")]) == 1 and capsys.readouterr().err
    assert main([str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["points_without_payload"] == 1_000
