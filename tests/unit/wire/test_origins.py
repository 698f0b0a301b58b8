from __future__ import annotations

import pytest

from palimpsest.app.wire.origins import Origins

HOST = [b"localhost:6333"]


def is_refused(
    origins: Origins, *given: bytes, site: bytes | None = None, host: list[bytes] = HOST
) -> bool:
    sites = [] if site is None else [site]
    refused = origins.refusal(sites, given, "http", host)
    assert refused is None or (refused.status == 403 and "ALLOWED_ORIGINS" in refused.text)
    return refused is not None


def test_programs_that_are_no_browsers_say_nothing() -> None:
    assert not is_refused(Origins([]))
    assert not is_refused(Origins(["https://app.example"]))


def test_the_servers_own_pages_may_call() -> None:
    for origin in (b"http://localhost:6333", b"HTTP://LOCALHOST:6333"):
        assert not is_refused(Origins([]), origin)
        assert not is_refused(Origins([]), origin, site=b"same-origin")
    assert not is_refused(Origins([]), b"http://localhost", host=[b"localhost:80"])
    assert not is_refused(Origins([]), b"http://localhost:80", host=[b"localhost"])
    assert not is_refused(Origins([]), b"http://[::1]:1", host=[b"[::1]:1"])


@pytest.mark.parametrize(
    "origin",
    [
        *(b"null", b"", b"http://evil.example", b"https://localhost:6333", b"http://localhost"),
        *(b"http://localhost:6334", b"http://localhost:6333/", b"http://localhost:6333.evil"),
        *(b"http://u@localhost:6333", b"http://localhost:6333, http://evil", b"localhost:6333"),
        *(b"http://127.0.0.1:6333", b"file://", b"http://", b"http://localhost:6333 http://e"),
    ],
)
def test_other_origins_may_not(origin: bytes) -> None:
    assert is_refused(Origins([]), origin)
    assert is_refused(Origins(["https://app.example"]), origin)
    assert not is_refused(Origins(["*"]), origin)


def test_an_origin_is_foreign_where_the_host_is_unknown() -> None:
    for host in ([], [b"localhost:6333", b"localhost:6333"], [b"a b"]):
        assert is_refused(Origins([]), b"http://localhost:6333", host=host)


def test_two_origins_are_foreign() -> None:
    own = b"http://localhost:6333"
    assert is_refused(Origins([]), own, own)
    assert is_refused(Origins(["https://app.example"]), b"https://app.example", own)


def test_sites_are_told_by_browsers() -> None:
    for site in (b"same-origin", b"same-site", b"none", b" None "):
        assert not is_refused(Origins([]), site=site)
    for site in (b"cross-site", b"CROSS-SITE", b"", b"unheard-of", b"none, none"):
        assert is_refused(Origins([]), site=site)
        assert not is_refused(Origins(["*"]), site=site)
        assert not is_refused(Origins(["https://app.example"]), b"https://app.example", site=site)
    assert Origins([]).refusal([b"none", b"none"], [], "http", HOST) is not None


def test_cors_is_off_unless_origins_are_allowed() -> None:
    assert Origins([]).replied([b"http://localhost:6333"]) == []
    assert Origins([]).replied([]) == []


def test_cors_names_the_one_origin_that_asked() -> None:
    origins = Origins(["https://app.example", "https://b.example"])
    replied = dict(origins.replied([b"https://app.example"]))
    assert replied[b"access-control-allow-origin"] == b"https://app.example"
    assert replied[b"vary"] == b"origin"
    assert origins.replied([]) == origins.replied([b"https://c.example"]) == [(b"vary", b"origin")]
    assert dict(Origins(["*"]).replied([b"null"]))[b"access-control-allow-origin"] == b"*"
    assert b"vary" not in dict(Origins(["*"]).replied([b"null"]))
