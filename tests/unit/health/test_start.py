"""What is logged at the start: one line that no name can break, the largest collections first."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.context import Context
from palimpsest.app.health import start
from palimpsest.app.health.start import announce, in_a_line
from palimpsest.app.settings import Settings
from palimpsest.index import CollectionConfig, VectorConfig
from tests.points import batch_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("clé 漢字", "clé 漢字"),
        ("a\nb\r", "a\\nb\\r"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u2028\u202e", "\\u2028\\u202e"),
        ("\ud800", "\\ud800"),
    ],
)
def test_a_text_in_a_line(text: str, shown: str) -> None:
    assert in_a_line(text) == shown


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
