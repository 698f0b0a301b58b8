"""Gauges of embedders: what an alert looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from palimpsest.app.embedding.declared import Local
from palimpsest.app.embedding.embedder import Embedder
from palimpsest.app.embedding.quota import Quota
from palimpsest.app.embedding_metrics import EmbedderSeries


def test_what_was_looked_at_has_a_cosine() -> None:
    model: Any = None
    new, changed = (Embedder(Local(folder=Path(), size=1), model, Quota(0, 0, 0)) for _ in "ab")
    changed.suspended, changed.cosine = "another model", 0.25
    suspended, cosine = EmbedderSeries({"new": new, "größe": changed}).collect()
    assert [(s.labels["embedder"], s.value) for s in suspended.samples] == [
        ("new", 0.0),
        ("größe", 1.0),
    ]
    assert [(s.labels["embedder"], s.value) for s in cosine.samples] == [("größe", 0.25)]
