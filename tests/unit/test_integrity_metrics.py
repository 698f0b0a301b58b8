"""Series of the scrub: each collection has all of them, whether or not it was ever read."""

from __future__ import annotations

from palimpsest.app.integrity_metrics import integrity_series
from palimpsest.index import Integrity
from palimpsest.index.types import DamageKind

NONE: dict[DamageKind, int] = {"file": 0, "row": 0, "read": 0}


def test_each_collection_has_every_series() -> None:
    known = [
        ("écrits", Integrity(None, 0, 0, 0, False, (), 0, 0, NONE)),
        ("docs", Integrity(1e9, 2**53 + 1, 2, 3, True, (), 4, 5, {**NONE, "row": 6})),
    ]
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in integrity_series(known)
        for sample in family.samples
    }
    finished = "palimpsest_scrub_finished_timestamp_seconds"
    assert (found[finished, "écrits"], found[finished, "docs"]) == (0, 1e9)
    assert found["palimpsest_scrub_read_bytes_total", "docs"] == 2**53 + 1
    assert found["palimpsest_integrity_damaged", "docs", "file"] == 2
    assert found["palimpsest_integrity_damaged", "docs", "row"] == 3
    assert found["palimpsest_integrity_errors_total", "docs", "row"] == 6
    assert found["palimpsest_integrity_errors_total", "docs", "read"] == 0
    assert found["palimpsest_lost_found_entries", "docs"] == 4
    assert found["palimpsest_lost_found_bytes", "docs"] == 5
    assert sum("écrits" in key for key in found) == sum("docs" in key for key in found)
