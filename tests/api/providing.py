"""A server of embeddings that speaks as OpenAI's does, for tests: its model counts letters.

What it does wrong it is told by the name of the model, or by ``failures``: what the next calls are
answered with.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import trustme

from palimpsest.index import PROBE_TEXTS

SIZE = 8


def letters(text: str) -> list[float]:
    """How often each of eight groups of letters is in a text: alike texts are alike vectors."""
    counts = np.zeros(SIZE)
    for letter in text.lower():
        counts[ord(letter) % SIZE] += 1
    return [float(each) for each in counts + 0.125]


def _one(place: int, text: str, turned: bool) -> dict[str, Any]:
    vector = letters(text)
    return {"object": "embedding", "index": place, "embedding": vector[::-1] if turned else vector}


# By model: what becomes of its vectors, and of the text of its reply.
SPOILED: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "short": lambda data: [{**one, "embedding": one["embedding"][:-1]} for one in data],
    "half": lambda data: data[: len(data) // 2],
    "shuffled": lambda data: data[::-1],
    "twice": lambda data: [data[0]] * len(data),
}
MISSAID: dict[str, Callable[[str], str]] = {
    "nan": lambda said: said.replace("0.125", "NaN", 1),
    "infinite": lambda said: said.replace("0.125", "1e39", 1),
    "words": lambda said: said.replace("0.125", '"many"', 1),
    "huge": lambda said: said + " " * 10_000_000,
    "prose": lambda said: "<html>all is well</html>",
}


class Provider:
    """What a server was asked, and what it is to answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[dict[str, Any]] = []  # bodies, in the order they came
        self.keys: list[str | None] = []
        self.failures: deque[tuple[int, dict[str, str], bytes]] = deque()
        self.turned = False  # whether another model answers under the same name
        self.stop = threading.Event()

    def texts(self) -> list[str]:
        return [text for call in self.calls for text in call["input"]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        provider = self.provider
        # Probes come when they come: they are answered, and not counted among what tests ask.
        is_probe = any(text.endswith(PROBE_TEXTS) for text in body["input"])
        if not is_probe:
            provider.calls.append(body)
            provider.keys.append(self.headers.get("authorization"))
        if provider.failures and not is_probe:
            self.send(*provider.failures.popleft())
        elif self.path != "/v1/embeddings":
            self.send(404, {}, b'{"error": {"message": "no such path"}}')
        else:
            self.send(*self.answer(body))

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        texts, model = body["input"], body["model"]
        if model == "silent":
            self.provider.stop.wait(20)
        data = [_one(place, text, self.provider.turned) for place, text in enumerate(texts)]
        data = SPOILED.get(model, lambda data: data)(data)
        if body["encoding_format"] == "base64":
            for one in data:
                packed = np.array(one["embedding"], "<f4").tobytes()
                one["embedding"] = base64.b64encode(packed[: -3 if model == "torn" else None])
                one["embedding"] = one["embedding"].decode()
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        said = json.dumps({"object": "list", "model": model, "data": data, "usage": usage})
        return 200, {}, MISSAID.get(model, lambda said: said)(said).encode()

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if body.startswith(b"slowly"):
                for each in body:
                    self.wfile.write(bytes([each]))
                    self.provider.stop.wait(0.05)
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # whoever asked went away

    def log_message(self, format: str, *args: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that end a connection: tests look at what they are told."""


@contextmanager
def providing(certificate: trustme.LeafCert | None = None) -> Iterator[Provider]:
    """A server of embeddings on a free port of this machine, over TLS with a certificate."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    scheme = "http"
    if certificate is not None:
        scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        # In the thread of each connection, where one that fails ends nothing else.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    provider = Provider(f"{scheme}://127.0.0.1:{server.server_port}/v1")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"provider": provider})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
