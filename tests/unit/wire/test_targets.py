"""Targets of requests: of an URL the path is used, and its host alone."""

from __future__ import annotations

import pytest

from palimpsest.app.wire.ends import Broken
from palimpsest.app.wire.targets import origin_form


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://other.example/a?b=1", b"/a?b=1", b"other.example"),
        (b"HTTPS://other.example:6333", b"/", b"other.example:6333"),
        (b"http://other.example?b", b"/?b", b"other.example"),
        (b"http://[::1]:80//two", b"//two", b"[::1]:80"),
    ],
)
def test_the_host_of_an_url_replaces_that_of_the_headers(
    target: bytes, path: bytes, host: bytes
) -> None:
    headers = [(b"host", b"mine"), (b"a", b"b"), (b"host", b"again")]
    assert origin_form(b"GET", target, headers) == path
    assert headers == [(b"host", host), (b"a", b"b")]


def test_all_of_the_server_may_be_asked_what_it_allows() -> None:
    headers = [(b"host", b"mine")]
    assert origin_form(b"OPTIONS", b"*", headers) == b"*"
    assert headers == [(b"host", b"mine")]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"GET", b"*"),
        (b"CONNECT", b"http://other.example/"),
        (b"CONNECT", b"other.example:443"),
        (b"GET", b"ftp://other.example/"),
        (b"GET", b"http:///a"),
        (b"GET", b"http://user@other.example/"),
        (b"GET", b"http://other.example#part"),
        (b"GET", b"collections"),
        (b"GET", b""),
    ],
)
def test_what_names_nothing_here(method: bytes, target: bytes) -> None:
    headers = [(b"host", b"mine")]
    with pytest.raises(Broken) as broken:
        origin_form(method, target, headers)
    assert broken.value.reply().startswith(b"HTTP/1.1 400 ")
    assert headers == [(b"host", b"mine")]
