"""How far a scrub got, in a small file: whole, or as good as none."""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.checks.findings import Finding
from palimpsest.index.checks.progress import (
    FILE,
    MOST_KEPT,
    Progress,
    read_progress,
    write_progress,
)
from palimpsest.index.remedies import Act


def finding(place: int) -> Finding:
    return Finding(
        "damage", "files", Path(f"/s/ж{place}.npy"), "length", "1", "2", Act.REMAKE, "имя"
    )


def test_all_of_it_comes_back(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    told = Progress(
        1.5, 2.5, None, "rows", ("points", 2**53 + 1), 2**60, (finding(1),),
        (finding(2), Finding("note", "rows", Path("/x"), "ж", remedy="in words")),
    )  # fmt: skip
    write_progress(tmp_path, told)
    assert read_progress(tmp_path) == told
    assert [one.name for one in tmp_path.iterdir()] == [FILE]


def test_no_flipped_bit_is_read_as_other_progress(tmp_path: Path) -> None:
    told = Progress(1.0, at=("ж", 7), found=(finding(1),))
    write_progress(tmp_path, told)
    kept = (tmp_path / FILE).read_bytes()
    for place in range(0, 8 * len(kept), 61):
        flipped = bytearray(kept)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / FILE).write_bytes(flipped)
        assert read_progress(tmp_path) in (None, told), place


def test_where_nothing_can_be_written_there_is_none(tmp_path: Path) -> None:
    write_progress(tmp_path / "not there", Progress(1.0))
    for text in ("", "[]", "null", '{"format": 2}', '{"format": 1, "crc32": 0, "progress": {}}'):
        (tmp_path / FILE).write_text(text)
        assert read_progress(tmp_path) is None


def test_of_very_many_findings_the_first_are_kept_each_once() -> None:
    told = Progress(1.0)
    for place in [*range(MOST_KEPT + 10), 0]:
        told = told.with_finding(finding(place))
    assert told.found == tuple(finding(place) for place in range(MOST_KEPT))
    assert told.with_finding(finding(0)) is told
