"""Heads that were read before."""

from __future__ import annotations

from palimpsest.app.wire.heads import LONGEST, MOST, Head, Heads

TEXT = b"POST /collections/docs/points/query HTTP/1.1\r\nhost: localhost\r\n\r\n"


def head(text: bytes, length: int = 7) -> Head:
    return Head(text, "docs", [(b"host", b"localhost")], length)


def test_only_the_same_bytes_are_found() -> None:
    heads = Heads()
    heads.learn(head(TEXT))
    assert heads.find(TEXT + b"a body\r\n\r\nof any kind") == head(TEXT)
    assert heads.find(TEXT) == head(TEXT)
    for other in (b"", TEXT[:-1], TEXT[1:], b"\r\n" + TEXT, TEXT.replace(b"docs", b"Docs")):
        assert heads.find(other) is None


def test_memory_is_bounded() -> None:
    heads = Heads()
    for number in range(3 * MOST):
        heads.learn(head(b"%d" % number + TEXT))
    known = [n for n in range(3 * MOST) if heads.find(b"%d" % n + TEXT) is not None]
    assert 0 < len(known) <= MOST
    assert known[-1] == 3 * MOST - 1
    long = b"POST /" + b"x" * LONGEST + b" HTTP/1.1\r\n\r\n"
    heads.learn(head(long))
    assert heads.find(long) is None
