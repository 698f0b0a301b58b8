"""Each key has a bucket of its own, and many tokens do not take memory without end."""

from __future__ import annotations

import pytest

from palimpsest.app.access import limits
from palimpsest.app.access.limits import KeyRates
from palimpsest.app.access.rights import NOTHING, Access, Level
from palimpsest.app.errors import Refusal


def named(who: str, kind: str = "token") -> Access:
    return Access(who, kind, Level.READ)


def test_a_bucket_for_each_name() -> None:
    rates = KeyRates(2)
    for who in ("clé", "cle"):
        for _ in range(2):
            rates.take(named(who))
        with pytest.raises(Refusal) as refused:
            rates.take(named(who))
        assert refused.value.status == 429
        assert int((refused.value.headers or {})["retry-after"]) >= 1
    assert rates.limited.values[("token",)] == 2
    assert rates.limited.values[("key",)] == 0


def test_no_limit_counts_nothing() -> None:
    rates = KeyRates(0)
    for _ in range(100):
        rates.take(NOTHING)
    assert not any(rates.limited.values.values())


def test_many_names_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 3)
    rates = KeyRates(1)
    for who in "abc":
        rates.take(named(who))
    with pytest.raises(Refusal):  # one that is known is not let off by there being many
        rates.take(named("a"))
    rates.take(named("d"))
    rates.take(named("a"))
