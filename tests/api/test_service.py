"""What the server says of itself: its title, its life, and what was found wrong."""

from __future__ import annotations

import httpx
import pytest

from tests.api.replies import result


def test_issues(http: httpx.Client) -> None:
    assert result(http.get("/issues")) == {"issues": []}
    assert result(http.delete("/issues")) is True


def test_root_tells_title_and_version(http: httpx.Client) -> None:
    body = http.get("/").json()
    assert body == {"title": "palimpsest - vector search server", "version": "1.19.0"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/healthz", "healthz check passed"),
        ("/livez", "healthz check passed"),
        ("/readyz", "all shards are ready"),
    ],
)
def test_health_is_plain_text(path: str, text: str, http: httpx.Client) -> None:
    reply = http.get(path)
    assert (reply.status_code, reply.text) == (200, text)
    assert reply.headers["content-type"].startswith("text/plain")


def test_readiness_in_detail(http: httpx.Client) -> None:
    checks = result(http.get("/readyz?verbose=1"))
    assert checks["damaged"] == {}
    assert checks["disk_free_bytes"] > 0
