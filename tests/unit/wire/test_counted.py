"""Bodies are counted as they pass; what has none counts nothing."""

from __future__ import annotations

import asyncio

from starlette.types import Message

from palimpsest.app.wire.counted import Counted


def test_bodies_are_counted_as_they_pass() -> None:
    coming: list[Message] = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "body": "é".encode()},
        {"type": "http.disconnect"},
    ]
    gone: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        gone.append(message)

    async def run() -> Counted:
        counted = Counted(receive, send)
        for _ in range(3):
            await counted.receive()
        await counted.send({"type": "http.response.start", "status": 200, "headers": []})
        await counted.send({"type": "http.response.body", "body": b"12345"})
        return counted

    counted = asyncio.run(run())
    assert (counted.received, counted.sent) == (5, 5)
    assert [message["type"] for message in gone] == ["http.response.start", "http.response.body"]
