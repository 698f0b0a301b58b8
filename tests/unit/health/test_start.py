"""What is logged at the start: one line that no name can break, the largest collections first."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.context import Context
from palimpsest.app.health import start
from palimpsest.app.health.start import announce
from palimpsest.app.settings import Settings
from palimpsest.index import CollectionConfig, VectorConfig
from tests.points import batch_of


def test_what_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "MOST_NAMED", 2)
    context = Context(Settings(data=tmp_path, threads=1))
    context.open()
    try:
        with caplog.at_level(logging.INFO, "palimpsest"):
            announce(context, "http://here")
        assert caplog.messages[-1].endswith(": no collections")
        for count, name in enumerate(("leer", "clé", "docs")):
            made = context.database.create(name, CollectionConfig({"": VectorConfig(2, "dot")}))
            if count:
                made.upsert(batch_of(range(count), np.zeros((count, 2), np.float32))).result()
        made.versions.declare("", "v2", VectorConfig(3, "dot"), declared={})
        with caplog.at_level(logging.INFO, "palimpsest"):
            announce(context, "http://here")
    finally:
        context.close()
    held = caplog.messages[-1].partition(": ")[2].partition(": ")[2]
    assert (
        "3 collections: 'docs' (2 points, versions 'v1' (active), 'v2' (shadow)), "
        in (caplog.messages[-1])
    )
    assert "'clé' (1 point), 1 more" in caplog.messages[-1]
    assert "leer" not in held
