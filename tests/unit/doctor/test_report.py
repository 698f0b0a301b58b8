"""What the doctor advises is a value, which its command words as it does for replies."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.doctor import told
from palimpsest.app.remedies import help_of
from palimpsest.index import (
    Act,
    CollectionConfig,
    Database,
    Distance,
    FitAdapter,
    MigratePoints,
    VectorConfig,
    check_directory,
)
from palimpsest.index.checks.findings import Finding
from palimpsest.index.checks.progress import Progress, read_progress, write_progress
from tests.unit.doctor.making import CONFIG, SIZE, batch


@pytest.mark.parametrize("act", Act)
def test_what_is_kept_of_a_scrub_is_the_value(tmp_path: Path, act: Act) -> None:
    found = Finding("damage", "files", tmp_path / "x", "length", "1", "2", act, "c")
    write_progress(tmp_path, Progress(since=0.0, found=(found,)))
    kept = read_progress(tmp_path)
    assert kept is not None and kept.found == (found,)
    assert kept.found[0].told(help_of).endswith(f"expected 1, found 2; {help_of(act)}")


def test_points_that_the_active_version_does_not_reach(tmp_path: Path) -> None:
    config = CollectionConfig(dict(CONFIG.vectors), maintenance=CONFIG.maintenance)
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("c", config)
        collection.upsert(batch(range(10))).result()
        space = VectorConfig(SIZE + 1, Distance.DOT)
        collection.versions.declare("", "v2", space, declared={})
        collection.versions.activate("", "v2", force=True)
    report = check_directory(tmp_path, None)
    (note,) = [one for one in report.findings if one.check == "versions"]
    helps = FitAdapter("", "v1", "v2"), MigratePoints("", "v2")
    assert note.remedy == helps
    assert str(note).endswith(
        "; fit an adapter from rows of 'v1' to queries of 'v2', or migrate points that lack "
        "version 'v2'"
    )
    said = f"{help_of(helps[0])}, or {help_of(helps[1])}"
    assert f"; {said}" in told(report)
    (kept,) = [one for one in report.to_json(help_of)["findings"] if one["check"] == "versions"]
    assert kept["remedy"] == said
