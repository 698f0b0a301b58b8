"""The gate: the short look is never kinder than the long one, and keys change as a whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app.access.gate import Gate, Unproven
from palimpsest.app.access.rights import EVERYTHING, Level
from palimpsest.app.reloading import Reloading
from palimpsest.app.settings import Misconfigured, Settings

FULL, READ = "full-key-0123456789-0123456789-0123", "read-key-0123456789-0123456789-0123"
LIMITED = [{"collection": "docs", "access": "r"}]
HOLDING = {"collection": "docs", "matches": [{"key": "k", "value": 1}]}


def token(**claims: Any) -> str:
    return jwt.encode(claims, FULL, algorithm="HS256")


def gate(**settings: Any) -> Gate:
    return Gate(Settings(**settings), Reloading())


GATE = gate(api_key=FULL, read_only_api_key=READ, jwt_rbac=True)
TOKENS = [token(access="m"), token(access=LIMITED), token(access="r", value_exists=HOLDING)]
SECRETS = st.sampled_from(["", "x", FULL, FULL[1:], READ, *TOKENS, token(access="m", exp=1)])
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just(b"api-key"), SECRETS.map(str.encode)),
        st.tuples(
            st.just(b"authorization"),
            st.builds(
                lambda scheme, secret: f"{scheme}{secret}".encode(),
                st.sampled_from(["Bearer ", "bearer  ", "Basic ", "Bearer", ""]),
                SECRETS,
            ),
        ),
        st.tuples(st.just(b"host"), st.just(b"localhost")),
    ),
    max_size=4,
)


@given(HEADERS)
def test_whoever_is_let_in_at_once_would_be_after_a_closer_look(
    headers: list[tuple[bytes, bytes]],
) -> None:
    at_once = GATE.who_now(headers)
    try:
        shown = GATE.who(headers)
    except Unproven:
        assert at_once is None
        return
    assert at_once in (None, shown.access)
    if shown.condition is not None:
        assert at_once is None
    else:
        assert GATE.who_now(headers) == shown.access  # a token is known by now


def test_without_keys_everybody_may_do_everything() -> None:
    assert gate().who_now([]) is EVERYTHING
    assert gate().who([(b"api-key", b"whatever")]).access is EVERYTHING


def test_what_is_recorded_or_limited_does_not_come_by_the_short_way(tmp_path: Path) -> None:
    shows = [(b"api-key", FULL.encode())]
    assert gate(api_key=FULL).who_now(shows) is not None
    assert gate(api_key=FULL, rate_limit=9).who_now(shows) is None
    assert gate(api_key=FULL, audit_log=tmp_path / "audit.log").who_now(shows) is None
    assert gate(rate_limit=9).who_now([]) is None


def test_tokens_without_a_key_to_sign_them_are_an_error() -> None:
    for settings in ({}, {"read_only_api_key": READ}):
        with pytest.raises(Misconfigured, match="PALIMPSEST_JWT_RBAC"):
            gate(jwt_rbac=True, **settings)


def test_a_file_that_cannot_be_read_leaves_the_keys_and_tokens_in_force(tmp_path: Path) -> None:
    file, reloading = tmp_path / "keys", Reloading()
    file.write_text(FULL)
    made = Gate(Settings(api_key_file=file, jwt_rbac=True), reloading)
    shows, known = [(b"api-key", FULL.encode())], [(b"api-key", TOKENS[0].encode())]
    made.who(known)

    def change(text: str | None) -> bool:
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        return asyncio.run(reloading.read("keys"))

    for broken in (None, "", "two words", "é"):
        assert not change(broken)
        assert made.is_shut
        for headers in (shows, known):
            access = made.who_now(headers)
            assert access is not None
            assert access.everywhere is Level.MANAGE
    assert change(f"{READ}\n")
    for headers in (shows, known):
        assert made.who_now(headers) is None
        with pytest.raises(Unproven):
            made.who(headers)
