"""A server of HTTP that answers as it is told, one answer after another, and keeps what it got."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.answering import Answering, listening


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

    class Handler(Answering):
        def answer(self) -> None:
            got = Got(self.command, self.path, dict(self.headers), self.body())
            served.got.append(got)
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
            self.send(status, text, headers)

    with listening(Handler) as url:
        served = Scripted(url)
        yield served
