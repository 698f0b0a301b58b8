"""What this server does not carry out says so, and names the methods there are."""

from __future__ import annotations

import httpx
import pytest

from tests.api.replies import refused


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/quotas"),
        ("PUT", "/quotas"),
    ],
)
def test_what_is_not_supported_says_so(
    method: str, path: str, http: httpx.Client, collection: str
) -> None:
    text = refused(http.request(method, path.format(collection), json={}), 501)
    assert text.startswith("Not implemented: ")
    assert "is not supported by this server" in text


@pytest.mark.parametrize(
    "path",
    [
        "/aliases",
        "/telemetry",
        "/cluster",
        "/collections/{}/points/payload",
        "/collections/{}/points/batch",
        "/collections/{}/index",
        "/collections/{}/index/a",
        "/collections/{}/vectors/a",
    ],
)
def test_other_methods_are_refused(path: str, http: httpx.Client, collection: str) -> None:
    reply = http.patch(path.format(collection), json={})
    assert refused(reply, 405).startswith("Method Not Allowed: PATCH /")
    assert reply.headers["allow"]
