from __future__ import annotations

import gzip
import random
import time
import zlib

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.wire.bodies import FED, MAX_MEMBERS, STEP, Types, packing, unpack

LIMIT = 4 * STEP


@pytest.mark.parametrize(
    "value",
    [
        *(b"application/json", b"Application/JSON", b"application/json; charset=utf-8"),
        *(b"application/json;charset=latin-1;a=b", b" application/json ;", b"a/b+json"),
        *(b"application/vnd.api+json; v=1", b"application/problem+JSON"),
    ],
)
def test_json_is_accepted_by_any_of_its_names(value: bytes) -> None:
    types = Types()
    assert types.refusal([value]) is None
    assert types.accepts(value)


@pytest.mark.parametrize(
    "value",
    [
        *(b"text/plain", b"text/plain; a=application/json", b"text/plain;+json", b"", b"json"),
        *(b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=+json"),
        *(b"application/jsonp", b"text/plain,application/json", b"application/json, text/plain"),
        *(b"application/ json", b"+json", b"a/b/c+json", b"application/json\x00"),
    ],
)
def test_other_types_are_refused(value: bytes) -> None:
    refused = Types().refusal([value])
    assert refused is not None
    assert refused.status == 415
    assert "content-type: application/json" in refused.text
    assert not Types().accepts(value)


def test_a_body_has_one_type_or_none() -> None:
    assert Types().refusal([]) is None
    assert Types().refusal([b"application/json", b"application/json"]) is not None


def test_packings() -> None:
    assert packing([]) is packing([b"identity"]) is packing([b""]) is None
    assert packing([b"gzip"]) == packing([b"X-Gzip, identity"]) == "gzip"
    assert packing([b"deflate"]) == "deflate"
    for values in ([b"br"], [b"zstd"], [b"gzip, gzip"], [b"gzip", b"deflate"], [b"*"]):
        with pytest.raises(Refusal, match="Unsupported content encoding") as refused:
            packing(values)
        assert refused.value.status == 415
        assert refused.value.headers == {"accept-encoding": "gzip, deflate"}


def test_bodies_are_unpacked() -> None:
    for body in (b"", b"{}", b"x" * LIMIT):
        assert unpack(gzip.compress(body), "gzip", LIMIT) == body
        assert unpack(zlib.compress(body), "deflate", LIMIT) == body
    members = gzip.compress(b"{") + gzip.compress(b"") + gzip.compress(b"}")
    assert unpack(members, "gzip", LIMIT) == b"{}"


def test_bombs_stop_at_the_limit() -> None:
    for size in (LIMIT + 1, 10 * LIMIT):
        for packed, body in (
            ("gzip", gzip.compress(b"0" * size)),
            ("deflate", zlib.compress(b"0" * size)),
            ("gzip", gzip.compress(b"0" * LIMIT) + gzip.compress(b"0" * (size - LIMIT))),
        ):
            with pytest.raises(Refusal, match="larger than allowed") as refused:
                unpack(body, packed, LIMIT)
            assert refused.value.status == 400


def test_damaged_bodies_are_refused() -> None:
    whole = gzip.compress(b'{"a":"' + bytes(range(256)) * 10 + b'"}')
    damaged = [
        ("gzip", whole[:-1]),
        ("gzip", whole[:20]),
        ("gzip", whole + b"x"),
        ("gzip", whole[:-8] + b"\x00" * 8),
        ("gzip", b"{}"),
        ("deflate", whole),
        ("deflate", zlib.compress(b"{}") + b"x"),
        ("deflate", zlib.compress(b"{}")[:-1]),
    ]
    for packed, body in damaged:
        with pytest.raises(Refusal, match="cannot be unpacked") as refused:
            unpack(body, packed, LIMIT)
        assert refused.value.status == 400


def test_members_are_unpacked_wherever_what_is_fed_ends() -> None:
    for size in (0, 1, FED, 3 * FED + 1):
        one = random.Random(size).randbytes(size)
        for count in (1, 2, 5):
            body = gzip.compress(one, 1) * count
            assert unpack(body, "gzip", 5 * size) == one * count
    with pytest.raises(Refusal, match="ends too early"):
        unpack(gzip.compress(random.Random(1).randbytes(2 * FED))[:-1], "gzip", 4 * FED)


def test_a_body_of_very_many_members_costs_little() -> None:
    """Each member leaves a copy of what was fed and not used: never of the whole body."""
    member = gzip.compress(b"")
    assert unpack(member * MAX_MEMBERS, "gzip", 10) == b""
    began = time.process_time()
    with pytest.raises(Refusal, match="members"):
        unpack(member * 1_500_000, "gzip", 10)
    assert time.process_time() - began < 20  # not an hour
