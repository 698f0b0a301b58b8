"""The calls of a server that speaks Qdrant's REST dialect, for many threads.

A call is made again only where making it twice does what making it once does: ``repeats`` says so.
429 and 503 are waited out as ``Retry-After`` says; so is a server that is being started again, but
one that has never answered is not waited for: its address may be wrong.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from palimpsest.app.transfer.errors import Refused, TransferError, Unreachable, WrongUse

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 300.0  # for the slowest one: a write that the server holds back
PATIENCE = 600.0  # seconds for which a call is made again before it is given up
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds between two tries where the server names none
AGAIN = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_SHOWN = 500  # characters of an answer that is no envelope


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and how to be let in; ``key`` never appears in a text."""

    url: str
    key: str | None = None
    ca: Path | None = None

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


class _Envelope(msgspec.Struct):
    result: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    status: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


class _Told(msgspec.Struct):
    error: str


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_TOLD = msgspec.json.Decoder(_Told)


class Client:
    """A client of one server. ``stopping`` ends all waits: set it when nobody wants the rest."""

    def __init__(self, address: Address, patience: float = PATIENCE) -> None:
        self.url = address.url.rstrip("/")
        self.patience = patience
        self.stopping = threading.Event()
        self._answered = False  # ever: a server that never did is not waited for
        self._http = httpx.Client(
            base_url=checked_url(self.url),
            headers={
                # Packing costs a server more than sending: numbers hardly shrink.
                "accept-encoding": "identity",
                **({"api-key": address.key} if address.key else {}),
            },
            verify=_trust(address.ca),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,  # to wherever it is told, with the key
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all waits, and close the connections."""
        self.stopping.set()
        self._http.close()

    def get(self, path: str) -> Any:
        """Return the decoded result of a ``GET``. Raises as ``send``."""
        return msgspec.json.decode(self.send("GET", path, repeats=True))

    def call(self, method: str, path: str, body: Any = None, *, repeats: bool = False) -> Any:
        """Return the decoded result of a call whose body is encoded. Raises as ``send``."""
        content = None if body is None else msgspec.json.encode(body)
        return msgspec.json.decode(self.send(method, path, content, repeats=repeats))

    def send(
        self, method: str, path: str, content: bytes | None = None, *, repeats: bool
    ) -> msgspec.Raw:
        """Return the text of the result of a call.

        Args:
            method: of HTTP.
            path: below the address, quoted, with its query.
            content: the body, JSON.
            repeats: whether the call may be made again when nobody knows what became of it.

        Raises:
            Refused: the server answers with an error, which trying again would not change.
            Unreachable: it has not answered, or has had no room, for as long as patience goes.
        """
        begun, wait = time.monotonic(), FIRST_WAIT
        what = f"{method} {self.url}{path}"
        while True:
            after: float | None = None
            try:
                reply = self._http.request(
                    method, path, content=content, headers={"content-type": "application/json"}
                )
            except httpx.TransportError as error:
                if not repeats or not self._answered:
                    raise Unreachable(f"{what}: {_worded(error)}") from error
                why = _worded(error)
            else:
                self._answered = True
                if reply.is_success:
                    return _result(what, reply.content)
                if not repeats or reply.status_code not in AGAIN:
                    raise _refused(what, reply)
                after = _retry_after(reply)
                why = f"{reply.status_code}: {_reason(reply)}"
            self._wait(what, why, begun, wait if after is None else after)
            wait = min(2 * wait, LONGEST_WAIT)

    @contextmanager
    def streamed(self, path: str) -> Iterator[httpx.Response]:
        """Give the answer to a ``GET`` while it comes. Raises as ``send``."""
        try:
            with self._http.stream("GET", path) as reply:
                if not reply.is_success:
                    reply.read()
                    raise _refused(f"GET {self.url}{path}", reply)
                yield reply
        except httpx.TransportError as error:
            raise Unreachable(f"GET {self.url}{path}: {_worded(error)}") from error

    def upload(self, path: str, field: str, file: Path) -> Any:
        """Return the result of a ``POST`` of a file as a form. Raises as ``send``."""
        what = f"POST {self.url}{path}"
        try:
            with file.open("rb") as opened:
                reply = self._http.post(path, files={field: (file.name, opened)})
        except OSError as error:
            raise WrongUse(f"{file}: {error.strerror}") from error
        except httpx.TransportError as error:
            raise Unreachable(f"{what}: {_worded(error)}") from error
        if not reply.is_success:
            raise _refused(what, reply)
        return msgspec.json.decode(_result(what, reply.content))

    def _wait(self, what: str, why: str, begun: float, wait: float) -> None:
        left = self.patience - (time.monotonic() - begun)
        if wait >= left:
            raise Unreachable(f"{what}: given up after {self.patience:.0f} s: {why}")
        # Not all threads, and not all importers, come back at once.
        if self.stopping.wait(wait * random.uniform(1, 1.1)):
            raise Unreachable(f"{what}: stopped while waiting: {why}")


def collection_path(name: str, *rest: str) -> str:
    """Return the path of a collection and of what lies below it; any name is one part of it."""
    return "/".join(["/collections", quote(name, safe=""), *rest])


def checked_url(url: str) -> str:
    """Return an address of a server. Raises WrongUse when it is none."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise WrongUse(f"{url!r} is no address of a server: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
        raise WrongUse(
            f"{parsed.copy_with(userinfo=b'')} is no address of a server: expected "
            "http(s)://HOST[:PORT], and the key in the environment"
        )
    return url


def _trust(ca: Path | None) -> ssl.SSLContext | bool:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise WrongUse(f"{ca}: expected certificates (PEM): {error}") from error


def _result(what: str, content: bytes) -> msgspec.Raw:
    try:
        return _ENVELOPE.decode(content).result
    except msgspec.MsgspecError:
        shown = content[:_SHOWN].decode(errors="replace")
        raise TransferError(f"{what}: expected an answer of a vector server, got {shown}") from None


def _refused(what: str, reply: httpx.Response) -> Refused:
    hint = ""
    if reply.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        hint = " (the key is read from the environment or a file: see --help)"
    return Refused(what, reply.status_code, _reason(reply) + hint)


def _reason(reply: httpx.Response) -> str:
    try:
        return _TOLD.decode(_ENVELOPE.decode(reply.content).status).error
    except msgspec.MsgspecError:
        return reply.text[:_SHOWN] or reply.reason_phrase


def _retry_after(reply: httpx.Response) -> float | None:
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _worded(error: httpx.TransportError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
