"""The ceiling: a bare ASGI route that decodes a query body and returns a fixed reply."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import msgspec
import numpy as np
import uvicorn

from tests.bench.plain_server import Hit, Query

Message: TypeAlias = MutableMapping[str, Any]

_decoder = msgspec.json.Decoder(Query)
_REPLY = msgspec.json.encode(
    {"result": {"points": [Hit(48_000 - i, 17, 0.8125 - i / 128) for i in range(10)]}}
)
_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_REPLY)).encode()),
    ],
}
_BODY: Message = {"type": "http.response.body", "body": _REPLY}


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Decode the body, if there is one, and reply."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if body:
        np.array(_decoder.decode(body).query, dtype=np.float32)
    await send(_START)
    await send(_BODY)


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        access_log=False,
        lifespan="off",
    )


if __name__ == "__main__":
    main()
