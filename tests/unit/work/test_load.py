"""How much is under way at once."""

from __future__ import annotations

import pytest

from palimpsest.app.work.load import adds


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PUT", "/collections/c", True),
        ("PUT", "/collections/c/points", True),
        ("POST", "/collections/c/points/payload", True),
        ("PUT", "/collections/c/vectors/v", True),
        ("PUT", "/collections/c/versions/v2", True),
        ("POST", "/collections/c/versions/v2/consolidate", True),
        ("POST", "/collections/c/adapters", True),
        ("PUT", "/collections/c/index", True),
        ("POST", "/collections/c/points/delete", False),
        ("POST", "/collections/c/points/payload/delete", False),
        ("POST", "/collections/c/points/payload/clear", False),
        ("POST", "/collections/c/points/query", False),
        ("POST", "/collections/c/points/batch", False),  # looked into
        ("DELETE", "/collections/c", False),
        ("PATCH", "/collections/c", False),
        ("GET", "/metrics", False),
    ],
)
def test_what_adds(method: str, path: str, expected: bool) -> None:
    assert adds(method, path) is expected
