"""Series of collections: all of those shown, health first, nothing woken by looking."""

from __future__ import annotations

import time

import numpy as np

from palimpsest.app.collection_metrics import CollectionGauges, OpenOnes
from palimpsest.app.metrics import Metrics
from palimpsest.index import CollectionConfig, Database, VectorConfig
from tests.points import batch_of

CONFIG = CollectionConfig({"": VectorConfig(2, "dot")})


def scraped(database: Database, most: int = 10) -> dict[tuple[str, ...], float]:
    known = OpenOnes(
        lambda: [database.get(name) for name in database.names()],
        lambda: {"b": "x"},
        database.snapshots.sizes.by_collection,
    )
    samples = [
        sample
        for family in CollectionGauges(Metrics(most), known).collect()
        for sample in family.samples
    ]
    found = {(sample.name, *sample.labels.values()): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def test_what_a_collection_holds_and_how_it_is(database: Database) -> None:
    docs = database.create("écrits", CONFIG)
    docs.upsert(batch_of([1, 2, 3], np.zeros((3, 2), np.float32))).result()
    found = scraped(database)
    assert found["palimpsest_points", "écrits"] == 3
    assert found["palimpsest_rows", "écrits", "", "growing"] == 3
    assert found["palimpsest_collection_status", "écrits", "green"] == 1
    assert found["palimpsest_collection_status", "b", "red"] == 1  # it cannot be opened
    assert found["palimpsest_collection_refuses_writes", "écrits"] == 0
    assert found["palimpsest_write_queue_length", "écrits"] == 0
    assert found["palimpsest_disk_bytes", "écrits", "snapshots"] == 0
    made = database.snapshots.create("écrits")
    after = scraped(database)
    assert after["palimpsest_disk_bytes", "écrits", "snapshots"] > made.nbytes  # and its checksum
    assert after["palimpsest_disk_bytes", "", "snapshots"] == 0
    assert found["palimpsest_damaged",] == found["palimpsest_collections",] == 1


def test_of_many_collections_the_first_have_series_and_those_that_refuse_writes(
    database: Database,
) -> None:
    for name in ("a", "c", "d", "e"):
        database.create(name, CONFIG)
    database.get("d").writer.store.trouble = "the disk is full"
    found = scraped(database, most=2)
    shown = {key[1] for key in found if key[0] == "palimpsest_points"}
    assert shown == {"a", "c", "d"}
    assert found["palimpsest_collections",] == 4
    assert found["palimpsest_collections_with_series",] == 3
    assert found["palimpsest_collection_refuses_writes", "d"] == 1


def test_a_scrape_wakes_no_collection(database: Database) -> None:
    docs = database.create("docs", CONFIG)
    docs.upsert(batch_of([1], np.zeros((1, 2), np.float32))).result()
    until = time.monotonic() + 30
    resting = docs._parts.upkeep._resting
    resting._not_before = 0.0
    while docs.writer.store.is_awake and time.monotonic() < until:
        docs.upkeep.close_files()
    assert not docs.writer.store.is_awake
    served = docs.writer.served
    for _ in range(3):
        assert scraped(database)["palimpsest_points", "docs"] == 1
    assert not docs.writer.store.is_awake
    assert docs.writer.served == served
