"""One credential, whichever header shows it; more than one is none."""

from __future__ import annotations

import base64

import pytest

from palimpsest.app.access.credentials import Conflicting, credential_of


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"api-key", b"K")], b"K"),
        ([(b"api-key", b"")], None),
        ([(b"authorization", b"Bearer K")], b"K"),
        ([(b"authorization", b"bEaReR   K ")], b"K"),
        ([(b"authorization", b"Bearer")], None),
        ([(b"authorization", b"BearerK")], None),
        ([(b"authorization", b"K")], None),
        ([(b"authorization", b"Token K")], None),
        ([(b"authorization", basic("me:K"))], None),
        ([(b"api-key", b"K"), (b"authorization", b"Bearer K")], b"K"),
        ([(b"api-key", b"K"), (b"authorization", basic("me:other"))], b"K"),
        ([(b"api-key", b""), (b"authorization", b"Bearer K")], b"K"),
        ([(b"api_key", b"K"), (b"x-api-key", b"K"), (b"cookie", b"api-key=K")], None),
    ],
)
def test_what_counts_as_shown(headers: list[tuple[bytes, bytes]], expected: bytes | None) -> None:
    assert credential_of(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [(b"api-key", b"K"), (b"api-key", b"K")],
        [(b"api-key", b"K"), (b"api-key", b"L")],
        [(b"authorization", b"Bearer K"), (b"authorization", b"Bearer K")],
        [(b"api-key", b"K"), (b"authorization", b"Bearer L")],
    ],
)
def test_what_conflicts_shows_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Conflicting) as caught:
        credential_of(headers)
    assert "K" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(basic("anyone:K"), b"K"), (basic(":K:L"), b"K:L"), (basic("K"), None), (b"Basic *", None)],
)
def test_a_password_counts_where_a_browser_asks_for_it(text: bytes, expected: bytes | None) -> None:
    assert credential_of([(b"authorization", text)], basic=True) == expected
