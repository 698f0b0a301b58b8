"""Every byte of every file: what is wrong with it is found, named, and called what it is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from palimpsest.index import check_directory
from tests.damage import flip
from tests.unit.doctor.making import copy, found, make, unchanged, whole

DERIVED = ("graph_", "codes", "encoder_", "by_slot", "postings_")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("doctor") / "data"
    make(data)
    return data


def test_a_whole_directory_is_healthy_and_left_as_it_is(data: Path) -> None:
    before = unchanged(data)
    report = whole(data)
    assert report.summary().startswith("HEALTHY: 1 collections, 1518 points")
    stored = sum(len(text) for name, text in before.items() if name.startswith("collections/"))
    assert report.bytes_read >= 0.9 * stored
    assert unchanged(data) == before


def test_a_flipped_bit_in_any_file_of_a_folder_is_found(data: Path, tmp_path: Path) -> None:
    draw = random.Random(7)
    files = sorted(
        path.relative_to(data)
        for kind in ("segments", "fields")
        for path in (data / "collections/c" / kind).rglob("*")
        if path.is_file()
    )
    assert len(files) > 25
    trial = copy(data, tmp_path / "trial")
    for name in files:
        kept = (trial / name).read_bytes()
        flip(trial / name, draw.randrange(8 * len(kept)))
        report = check_directory(trial)
        assert report.exit_status == 1, name
        wrong = [one for one in report.findings if one.severity in ("lost", "damage")]
        assert str(trial / name) in [str(one.file) for one in wrong], name
        derived = name.parts[2] == "fields" or name.name.startswith(DERIVED)
        own = [one.severity for one in wrong if one.file == trial / name]
        assert own == ["damage" if derived else "lost"], name
        (trial / name).write_bytes(kept)
    whole(trial)


@pytest.mark.parametrize("how", ["cut", "grown", "gone"])
def test_files_of_another_length_are_found(data: Path, tmp_path: Path, how: str) -> None:
    trial = copy(data, tmp_path / "trial")
    for path in sorted((trial / "collections/c/segments").rglob("*.npy")):
        kept = path.read_bytes()
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(kept[:-1] if how == "cut" else kept + b"\0")
        report = check_directory(trial)
        assert path in [one.file for one in report.findings], path
        assert report.exit_status == 1
        path.write_bytes(kept)


def test_a_segment_that_is_gone_is_lost(data: Path, tmp_path: Path) -> None:
    trial = copy(data, tmp_path / "trial")
    segments = sorted((trial / "collections/c/segments").iterdir())
    segments[0].rename(tmp_path / "elsewhere")
    report = check_directory(trial)
    assert report.status == "lost"
    assert any(segments[0].name in text for text in found(report, "lost"))
