"""What HTTP servers of tests have in common that answer by other rules than ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answering(BaseHTTPRequestHandler):
    """A request, whatever its method, that ``answer`` is to answer."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Answer, or close the connection."""
        raise NotImplementedError

    def body(self) -> bytes:
        """Return what was sent with it."""
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def send(self, status: int, text: bytes, headers: Mapping[str, str]) -> None:
        """Send an answer with these headers besides its length."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _any(self) -> None:
        self.answer()

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _any

    def log_message(self, format: str, *args: Any) -> None:
        """Keep silent."""


@contextmanager
def listening(handler: type[Answering]) -> Iterator[str]:
    """Answer on a free port of this machine; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
