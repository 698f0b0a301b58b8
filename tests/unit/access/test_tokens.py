"""Tokens that give something, and the many that must not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app.access.rights import Level
from palimpsest.app.access.tokens import MAX_KEPT, InvalidToken, Tokens, token_id

KEY, OTHER = b"k" * 64, b"o" * 64


def signed(claims: dict[str, Any], key: bytes = KEY, algorithm: str = "HS256") -> bytes:
    return jwt.encode(claims, key, algorithm=algorithm).encode()


def part(value: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def by_hand(header: Any, claims: Any, key: bytes | None) -> bytes:
    """A token with whatever header, signed by HMAC-SHA256 or not at all."""
    text = part(header) + b"." + part(claims)
    mac = b"" if key is None else hmac.digest(key, text, hashlib.sha256)
    return text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")


def reason(token: bytes, *keys: bytes) -> str:
    with pytest.raises(InvalidToken) as caught:
        Tokens(keys or (KEY,)).verify(token)
    assert token.decode("latin-1") not in str(caught.value) or not token
    return caught.value.reason


@pytest.mark.parametrize(("word", "level"), [("r", 1), ("rw", 2), ("m", 3)])
def test_a_level_for_the_whole_server_or_for_a_collection(word: str, level: int) -> None:
    granted = Tokens([KEY]).verify(signed({"access": word}))
    assert (granted.everywhere, granted.collections) == (level, {})
    granted = Tokens([KEY]).verify(signed({"access": [{"collection": "docs", "access": word}]}))
    assert (granted.everywhere, granted.collections) == (Level.NONE, {"docs": level})


def test_what_a_token_may_leave_out() -> None:
    assert Tokens([KEY]).verify(signed({})).everywhere is Level.READ
    assert Tokens([KEY]).verify(signed({"access": []})).collections == {}


def test_any_key_that_is_valid_signs_and_no_other() -> None:
    token = signed({"access": "m"}, OTHER)
    assert Tokens([KEY, OTHER]).verify(token).everywhere is Level.MANAGE
    assert reason(token, KEY) == "invalid_token"
    with pytest.raises(InvalidToken):
        Tokens([]).verify(token)


ALL = {"access": "m"}
PUBLIC = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYH\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"..",
        b"a.b.c",
        b"\xff.\xff.\xff",
        by_hand({"alg": "none"}, ALL, None),
        by_hand({"alg": "None", "typ": "JWT"}, ALL, None),
        by_hand({"alg": "none"}, ALL, KEY),
        by_hand({"alg": ""}, ALL, KEY),
        by_hand({}, ALL, KEY),
        by_hand({"alg": "HS256"}, ALL, None),
        by_hand({"alg": "RS256"}, ALL, KEY),
        by_hand({"alg": "ES256"}, ALL, KEY),
        by_hand({"alg": ["HS256"]}, ALL, KEY),
        by_hand({"alg": "HS256", "crit": ["exp"]}, ALL, KEY),
        by_hand({"alg": "HS256", "b64": False, "crit": ["b64"]}, ALL, KEY),
        by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": "b28"}}, ALL, b"oo"),
        by_hand({"alg": "HS256"}, [ALL], KEY),
        by_hand({"alg": "HS256"}, "m", KEY),
        by_hand("HS256", ALL, KEY),
        signed(ALL, KEY, "HS384"),
        signed(ALL, KEY, "HS512"),
        signed(ALL, KEY)[:-2],
        signed(ALL) + b".x",
        signed({**ALL, "pad": "x" * 20_000}),
        by_hand({"alg": "HS256"}, {**ALL, "exp": None}, KEY),
        by_hand({"alg": "HS256"}, {**ALL, "exp": "soon"}, KEY),
        by_hand({"alg": "HS256"}, {**ALL, "exp": [1]}, KEY),
        by_hand({"alg": "HS256"}, {**ALL, "exp": float("inf")}, KEY),
        by_hand({"alg": "HS256"}, {**ALL, "sub": 7}, KEY),
    ],
)
def test_what_is_no_token_of_ours_gives_nothing(token: bytes) -> None:
    assert reason(token) in ("invalid_token", "invalid_key")


def test_a_key_that_reads_as_a_public_key_signs_nothing() -> None:
    """What is signed with a public key as if it was a secret does not pass as anything."""
    assert reason(by_hand({"alg": "HS256"}, ALL, PUBLIC), PUBLIC) == "invalid_token"


def test_times_are_honoured() -> None:
    now = time.time()
    assert reason(signed({**ALL, "exp": now - 1})) == "expired_token"
    assert reason(signed({**ALL, "exp": 0})) == "expired_token"
    assert reason(signed({**ALL, "nbf": now + 60})) == "early_token"
    assert Tokens([KEY]).verify(signed({**ALL, "exp": now + 60, "nbf": now - 1, "iat": now + 5}))


def test_a_token_that_was_verified_still_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, token = Tokens([KEY]), signed({**ALL, "exp": time.time() + 60})
    assert tokens.verify(token) is tokens.verify(token)
    assert tokens.kept(token) is not None
    monkeypatch.setattr("palimpsest.app.access.tokens.time", lambda: time.time() + 61)
    assert tokens.kept(token) is None


def test_what_is_kept_is_bounded() -> None:
    tokens = Tokens([KEY])
    for n in range(MAX_KEPT + 10):
        tokens.verify(signed({"access": "r", "jti": str(n)}))
    assert len(tokens._kept) == MAX_KEPT


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"acess": "r"}, "acess"),
        ({"access": "x"}, "access"),
        ({"access": 3}, "access"),
        ({"access": None}, "access"),
        ({"access": {"collection": "docs", "access": "r"}}, "access"),
        ({"access": ["docs"]}, "Expected `object`"),
        ({"access": [{"collection": "docs"}]}, "access"),
        ({"access": [{"collection": "docs", "access": "x"}]}, "Invalid enum value"),
        ({"access": [{"collection": "docs", "access": "r", "payload": {"a": 1}}]}, "payload"),
        ({"access": [{"collection": "d", "access": "m"}, {"collection": "d", "access": "r"}]}, "d"),
        ({"access": "r", "value_exists": {"collection": "docs"}}, "matches"),
        ({"access": "r", "value_exists": {"collection": "docs", "matches": []}}, "matches"),
        (
            {"value_exists": {"collection": "d", "matches": [{"key": "k", "value": 1.5}]}},
            "value",
        ),
        ({"access": "r", "tenant": "a"}, "tenant"),
    ],
)
def test_what_a_token_says_and_is_not_understood_is_refused_by_name(
    claims: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidToken, match=named) as caught:
        Tokens([KEY]).verify(signed(claims))
    assert caught.value.reason == "unreadable_token"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 10**400},
        {"\ud800": 1},
        {"sub": "\ud800"},
        {"iss": {"a": ["\ud800"]}},
        {"access": [{"collection": "\ud800", "access": "r"}]},
        {"value_exists": {"collection": "d", "matches": [{"key": "k", "value": "\ud800"}]}},
    ],
)
def test_what_no_text_or_number_can_hold_is_refused(claims: dict[str, Any]) -> None:
    assert reason(by_hand({"alg": "HS256"}, claims, KEY)) == "unreadable_token"


def test_a_token_for_others_is_refused() -> None:
    assert reason(signed({**ALL, "aud": "another server"})) == "unreadable_token"
    assert reason(signed({**ALL, "aud": ""})) == "unreadable_token"


@given(st.binary(max_size=200))
def test_no_bytes_are_a_token_by_chance(token: bytes) -> None:
    reason(token)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["access", "value_exists", "sub", "exp", "nbf", "x"]), JSON))
def test_whatever_is_signed_is_understood_or_refused(claims: dict[str, Any]) -> None:
    try:
        granted = Tokens([KEY]).verify(by_hand({"alg": "HS256"}, claims, KEY))
    except InvalidToken:
        return
    assert claims.keys() <= {"access", "value_exists", "sub", "exp", "nbf"}
    assert granted.everywhere in (Level.NONE, Level.READ, Level.WRITE, Level.MANAGE)
    if "access" not in claims:
        assert granted.everywhere is Level.READ


@pytest.mark.parametrize("subject", [None, "", "a b", "line\nbreak", "x" * 65, "é"])
def test_a_token_without_a_plain_subject_is_called_by_a_hash(subject: str | None) -> None:
    assert token_id(b"token", subject).startswith("token-")


def test_a_token_is_called_by_its_subject() -> None:
    assert token_id(b"token", "alice@example.org") == "token:alice@example.org"
