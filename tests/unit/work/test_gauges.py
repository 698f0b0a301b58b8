"""Series of rows that wait: every collection has them, those it refused by reason."""

from __future__ import annotations

import numpy as np

from palimpsest.app.work.gauges import BacklogGauges
from palimpsest.index import CollectionConfig, Database, VectorConfig
from tests.points import batch_of


def test_rows_that_wait(database: Database) -> None:
    docs = database.create("écrits", CollectionConfig({"": VectorConfig(2, "dot")}))
    docs.upsert(batch_of([1, 2, 3], np.zeros((3, 2), np.float32))).result()
    database.create("leer", CollectionConfig({"": VectorConfig(2, "dot")}))
    gauges = BacklogGauges(lambda: [database.get(name) for name in database.names()])
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in gauges.collect()
        for sample in family.samples
    }
    assert found["palimpsest_backlog_rows", "écrits"] == 3
    assert found["palimpsest_backlog_rows", "leer"] == 0
    assert found["palimpsest_backlog_limit_rows", "leer"] > 0
    assert found["palimpsest_writes_delayed_total", "leer"] == 0
    assert {key[2] for key in found if key[0] == "palimpsest_writes_refused_total"} == {
        "backlog",
        "stalled",
    }


def test_no_collections_no_series() -> None:
    assert all(not family.samples for family in BacklogGauges(lambda: []).collect())
