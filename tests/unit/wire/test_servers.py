"""Servers are named by a scheme, a host and a port, and by nothing else."""

from __future__ import annotations

import pytest

from palimpsest.app.wire.servers import Origin, origin_of, server_list


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Backup.example/x?y", Origin("https", "backup.example", 443)),
        ("http://10.0.0.1:6333", Origin("http", "10.0.0.1", 6333)),
        ("http://[::1]/", Origin("http", "::1", 80)),
    ],
)
def test_what_a_url_names(url: str, origin: Origin) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url", ["ftp://a/x", "http://", "//a", "a", "http://u:p@a/", "http://u@a/", "http://a:99999/"]
)
def test_what_names_none(url: str) -> None:
    with pytest.raises(ValueError):
        origin_of(url)


def test_settings_name_origins() -> None:
    assert server_list(("https://a.example/", "http://b:1")) == ("https://a.example/", "http://b:1")
    for wrong in ("https://a/path", "https://a?x", "https://a#x", "a.example", "*"):
        with pytest.raises(ValueError):
            server_list((wrong,))
