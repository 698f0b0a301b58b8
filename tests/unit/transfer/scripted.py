"""A server of HTTP that answers as it is told, one answer after another, and keeps what it got."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What is answered; no status at all hangs up."""

    status: int | None = 200
    body: Any = True
    headers: Mapping[str, str] = {}


class Got(NamedTuple):
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Scripted:
    """Where it listens, and what it got so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: list[Got] = []


@contextmanager
def scripted(answers: Sequence[Answer]) -> Iterator[Scripted]:
    """Serve these answers; all further ones are the last."""
    left = [*answers]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            served.got.append(Got(self.command, self.path, dict(self.headers), body))
            status, result, headers = left.pop(0) if len(left) > 1 else left[0]
            if status is None:
                self.close_connection = True
                return
            text = result
            if not isinstance(result, bytes):
                envelope = {"result": result, "status": "ok"}
                if status >= 400:
                    envelope = {"result": None, "status": {"error": result}}
                text = json.dumps(envelope).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Keep silent."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Scripted(f"http://127.0.0.1:{listening.server_port}")
    thread = Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
