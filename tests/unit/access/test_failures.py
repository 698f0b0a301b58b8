"""Wrong keys are answered later and later, by address."""

from __future__ import annotations

import pytest

from palimpsest.app.access.failures import FREE, LONGEST, MAX_ADDRESSES, Failures, network_of


def test_the_first_of_a_minute_are_free_and_the_rest_wait_longer_and_longer() -> None:
    failures = Failures()
    waits = [failures.note("192.0.2.1") for _ in range(100)]
    assert waits[:FREE] == [0.0] * FREE
    assert 0 < waits[FREE] < waits[FREE + 1]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST
    assert failures.note("192.0.2.2") == 0


def test_after_a_minute_it_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("palimpsest.app.access.failures.monotonic", lambda: now)
    failures = Failures()
    for _ in range(50):
        failures.note("192.0.2.1")
    now += 61
    assert failures.note("192.0.2.1") == 0


def test_addresses_that_are_remembered_are_bounded() -> None:
    failures = Failures()
    for n in range(MAX_ADDRESSES + 100):
        failures.note(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
    assert len(failures._counts) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("unknown", "unknown", True),
    ],
)
def test_what_is_one_address(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) == same
