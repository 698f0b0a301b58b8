"""A location is a name, a file among the snapshots, or a URL: never another file."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.snapshots.locations import Kept, Remote, read_location

SHELF = Path("/data/snapshots")


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        ("a.snapshot", Kept("c", "a.snapshot")),
        ("é 1.snapshot", Kept("c", "é 1.snapshot")),
        ("file:///data/snapshots/d/a.snapshot", Kept("d", "a.snapshot")),
        ("file:///data/snapshots/%C3%A9%20x/a.snapshot", Kept("é x", "a.snapshot")),
        ("file:///data/snapshots/é x/a.snapshot", Kept("é x", "a.snapshot")),
        ("file://localhost/data/snapshots/d/a.snapshot", Kept("d", "a.snapshot")),
        ("file:///data/snapshots/e@snapshot/a.snapshot", Kept("e.snapshot", "a.snapshot")),
        ("http://h/x", Remote("http://h/x")),
        ("https://h:1/x?y", Remote("https://h:1/x?y")),
    ],
)
def test_what_is_meant(location: str, meant: Kept | Remote) -> None:
    assert read_location(location, "c", SHELF) == meant


@pytest.mark.parametrize(
    "location",
    [
        "/data/snapshots/d/a.snapshot",
        "../d/a.snapshot",
        "d/a.snapshot",
        "file:///etc/passwd",
        "file:///data/snapshots/../lock",
        "file:///data/snapshots/%2e%2e/lock",
        "file:///data/snapshots/d/../../lock",
        "file:///data/snapshots/a.snapshot",
        "file:///data/snapshots/d/e/a.snapshot",
        "file:///data/snapshots2/d/a.snapshot",
        "file://data/snapshots/d/a.snapshot",
        "file://other/data/snapshots/d/a.snapshot",
        "file:data/snapshots/d/a.snapshot",
        "ftp://h/x",
        "http:",
        "http://[x/",
        "gopher://h/x",
        "s3://b/x",
    ],
)
def test_what_is_refused(location: str) -> None:
    with pytest.raises(Refusal, match="location"):
        read_location(location, "c", SHELF)
