"""Headers of replies: what a route says itself is kept, what it lacks is added once."""

from __future__ import annotations

from palimpsest.app.wire.replies import JSON, POLICY, SECURE, VARY_ORIGIN, completed, written


def test_a_route_knows_better() -> None:
    own = [(POLICY, b"default-src 'self'"), (b"vary", b"user-agent")]
    found = completed(own, [*SECURE, VARY_ORIGIN])
    assert found[:2] == own
    assert [value for name, value in found if name == POLICY] == [b"default-src 'self'"]
    assert [value for name, value in found if name == b"vary"] == [b"user-agent", b"origin"]
    assert {name for name, _ in SECURE} <= {name for name, _ in found}


def test_what_is_given_stays_as_it_was() -> None:
    own = [JSON]
    completed(own, SECURE)
    assert own == [JSON]


def test_503_says_when_to_come_again() -> None:
    assert (b"retry-after", b"1") in completed([JSON], [], 503)
    assert completed([(b"retry-after", b"7")], [], 503) == [(b"retry-after", b"7")]
    assert completed([JSON], [], 507) == [JSON]


def test_each_line_has_its_end() -> None:
    assert written([JSON, (b"a", b"")]) == b"content-type: application/json\r\na: \r\n"
    assert written([]) == b""
