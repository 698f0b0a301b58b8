"""The verbose form is asked for in several ways, and the start line is one line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from palimpsest.app.access.table import wants_verbose
from palimpsest.app.context import Context
from palimpsest.app.health.start import MOST_NAMED, announce
from palimpsest.app.release import RELEASE
from palimpsest.app.settings import Settings
from palimpsest.index import CollectionConfig


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"verbose", True),
        (b"verbose=", True),
        (b"verbose=1", True),
        (b"verbose=true", True),
        (b"%76erbose", True),
        (b"verbose=yes&exclude=etcd", True),
        (b"verbose=0", False),
        (b"verbose=FALSE", False),
        (b"", False),
        (b"timeout=5", False),
        (b"verbosely", False),
        (b"\xff=%ff", False),
    ],
)
def test_what_asks_for_the_verbose_form(query: bytes, wanted: bool) -> None:
    assert wants_verbose(query) is wanted


def test_the_start_line_names_what_is_held(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = Context(Settings(data=tmp_path, threads=1))
    context.open()
    caplog.set_level(logging.INFO, "palimpsest")
    try:
        announce(context, "https://[::1]:7")
        context.database.create("a\nb", CollectionConfig({}))
        announce(context, "http://x:1")
        for number in range(MOST_NAMED):
            context.database.create(f"c{number}", CollectionConfig({}))
        announce(context, "http://x:1")
    finally:
        context.close()
    first, second, third = (one.getMessage() for one in caplog.records)
    assert first == f"palimpsest {RELEASE} serves https://[::1]:7 from {tmp_path}: no collections"
    assert second.endswith(": 1 collection: 'a\\nb' (0 points)")
    assert f": {MOST_NAMED + 1} collections: " in third and third.endswith(", 1 more")
    assert all(len(line.splitlines()) == 1 for line in (first, second, third))
