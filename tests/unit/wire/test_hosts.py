from __future__ import annotations

import pytest
from pydantic import ValidationError

from palimpsest.app.settings import Settings
from palimpsest.app.wire.hosts import Hosts
from palimpsest.app.wire.names import host_list, listens_on_loopback, origin_list, read_host

LOOPBACK = (
    *(
        b"localhost",
        b"LOCALHOST:6333",
        b"a.localhost",
        b"localhost.:80",
        b"127.0.0.1",
        b"127.9.8.7",
    ),
    *(b"[::1]", b"[::1]:6333", b"[0:0:0:0:0:0:0:1]"),
)
OTHERS = (
    *(b"evil.example", b"localhost.evil.example", b"notlocalhost", b"127.0.0.1.evil.example"),
    *(b"0.0.0.0", b"10.0.0.1:6333", b"[::2]", b"[::]", b"2130706433", b"127.1", b"0x7f.0.0.1"),
)
MALFORMED = (
    *(b"", b":80", b"a b", b"a/b", b"a@b", b"user@localhost", b"localhost:", b"localhost:x"),
    *(b"localhost:123456", b"localhost:99999", b"[::1", b"::1", b"[localhost]", b"[::1]x", b"-a"),
    *(b"localhost,evil", b"localhost\x00", b"l\xf6calhost", b"%6cocalhost", b"localhost#a", b".."),
)


def status(hosts: Hosts, *values: bytes) -> int:
    refused = hosts.refusal(values)
    return 200 if refused is None else refused.status


def test_loopback_answers_to_its_own_names() -> None:
    hosts = Hosts([], loopback_only=True)
    for _ in range(2):  # the second time from memory
        for value in LOOPBACK:
            assert status(hosts, value) == 200, value
        for value in OTHERS:
            assert status(hosts, value) == 421, value
            assert not hosts.accepts(value)
        for value in MALFORMED:
            assert status(hosts, value) == 400, value
            assert not hosts.accepts(value)
    refused = hosts.refusal([b"evil.example"])
    assert refused is not None
    assert "DNS rebinding" in refused.text
    assert "PALIMPSEST_ALLOWED_HOSTS" in refused.text


def test_a_request_names_one_host_or_none() -> None:
    hosts = Hosts([], loopback_only=True)
    assert status(hosts) == 200
    assert status(hosts, b"localhost", b"localhost") == 400
    assert status(hosts, b"localhost", b"evil.example") == 400


def test_allowed_hosts_stand_beside_loopback() -> None:
    hosts = Hosts(["db.example", "*.internal", "[2001:db8::1]"], loopback_only=False)
    for value in (b"DB.example:1", b"a.b.internal", b"[2001:db8::1]:6333", *LOOPBACK):
        assert status(hosts, value) == 200, value
    for value in (b"x.db.example", b"internal", b"xinternal", *OTHERS):
        assert status(hosts, value) == 421, value


def test_any_host_may_be_allowed() -> None:
    for hosts in (Hosts([], loopback_only=False), Hosts(["*"], loopback_only=True)):
        for value in OTHERS:
            assert status(hosts, value) == 200, value
        for value in MALFORMED:
            assert status(hosts, value) == 400, value


def test_what_was_accepted_is_not_remembered_without_end() -> None:
    hosts = Hosts([], loopback_only=False)
    for number in range(10_000):
        assert hosts.accepts(b"host%d" % number)
    assert len(hosts._known) < 1000


def test_settings_refuse_what_is_no_name() -> None:
    assert host_list((" A.example ", "*.b.example", "[::1]")) == (
        "a.example",
        "*.b.example",
        "[::1]",
    )
    assert origin_list(("https://A.example:8443", " http://[::1]:81")) == (
        "https://a.example:8443",
        "http://[::1]:81",
    )
    assert origin_list(
        ("https://a.example:443", "http://a.example:80", "http://a.example:443")
    ) == (
        "https://a.example",
        "http://a.example",
        "http://a.example:443",
    )
    with pytest.raises(ValueError, match="xn--"):
        origin_list(("https://b\u00fccher.example",))
    for text in ("a.example:80", "http://a", "a b", "*.", "a.*", "[::g]"):
        with pytest.raises(ValueError, match="expected names of hosts"):
            host_list((text,))
    for text in (
        "a.example",
        "https://a.example/",
        "null",
        "https://a/x",
        "https://u@a",
        "https://",
    ):
        with pytest.raises(ValueError, match="expected origins"):
            origin_list((text,))
    with pytest.raises(ValidationError, match="expected origins"):
        Settings(allowed_origins=("a.example",))


def test_addresses_of_loopback() -> None:
    for address in ("127.0.0.1", "127.0.0.5", "::1", "localhost", "LocalHost"):
        assert listens_on_loopback(address), address
    for address in ("0.0.0.0", "::", "10.0.0.1", "example.org", ""):
        assert not listens_on_loopback(address), address
    assert read_host(b"a.example.:80") == ("a.example", 80)
