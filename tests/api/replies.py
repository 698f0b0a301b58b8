"""What replies look like."""

from __future__ import annotations

from typing import Any

import httpx


def result(reply: httpx.Response) -> Any:
    """The result of a successful reply, its envelope checked."""
    body = reply.json()
    assert reply.status_code == 200, reply.text
    assert body["status"] == "ok"
    assert isinstance(body["time"], float)
    return body["result"]


def refused(reply: httpx.Response, status: int) -> str:
    """The text of an error reply, its envelope checked."""
    body = reply.json()
    assert reply.status_code == status, reply.text
    assert body.get("result") is None
    assert isinstance(body["time"], float)
    text: str = body["status"]["error"]
    return text
