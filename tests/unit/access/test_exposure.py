"""Without a key, what others can reach is not served by mistake."""

from __future__ import annotations

import pytest

from palimpsest.app.access.exposure import check_exposure, is_loopback
from palimpsest.app.settings import Misconfigured, Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "127.1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "0", "no.such.host.invalid"]
)
def test_what_is_not_loopback_needs_a_key_or_that_it_is_wanted(host: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        check_exposure(Settings(host=host), has_keys=False)
    for way_out in ("PALIMPSEST_API_KEY", "--insecure", "PALIMPSEST_INSECURE=1"):
        assert way_out in str(caught.value)
    assert not is_loopback("")
    check_exposure(Settings(host=host), has_keys=True)
    check_exposure(Settings(host=host, insecure=True), has_keys=False)
