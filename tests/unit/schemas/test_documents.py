"""Schemas of undecoded fields: what they refer to is described, unknown fields are refused."""

from __future__ import annotations

import re

import msgspec

from palimpsest.app.schemas.documents import (
    REFERENCE,
    SCHEMAS,
    AnyPayload,
    array,
    one_of,
    record,
    ref,
)


def test_every_reference_leads_somewhere() -> None:
    start = re.escape(REFERENCE.format(name=""))
    for name in re.findall(f"{start}(\\w+)", repr(SCHEMAS)):
        assert name in SCHEMAS


def test_objects_have_no_other_fields() -> None:
    made = record(("a",), a=ref("PointId"), b=one_of(ref("Filter"), array(ref("Payload"))))
    assert made["additionalProperties"] is False
    assert made["required"] == ["a"]
    assert list(made["properties"]) == ["a", "b"]


def test_undecoded_fields_are_described_as_what_they_hold() -> None:
    class Body(msgspec.Struct):
        payload: AnyPayload

    (shown,) = msgspec.json.schema(Body)["$defs"].values()
    assert shown["properties"]["payload"]["anyOf"] == [ref("Payload"), {"type": "null"}]


def test_the_largest_id_is_one() -> None:
    assert SCHEMAS["PointId"]["anyOf"][0]["maximum"] == 2**64 - 1
