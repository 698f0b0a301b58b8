"""Schemas of queries: every kind and every function that is read is described, and no other."""

from __future__ import annotations

import re

from palimpsest.app.schemas import formulas
from palimpsest.app.schemas.documents import REFERENCE, SCHEMAS
from palimpsest.app.schemas.kinds import BODIES
from palimpsest.app.schemas.query_documents import QUERY_SCHEMAS


def test_every_kind_is_described() -> None:
    listed = {each.get("$ref") for each in QUERY_SCHEMAS["Query"]["anyOf"]}
    kinds = {REFERENCE.format(name=body.__name__) for body in BODIES.values()}
    assert listed == kinds | {REFERENCE.format(name="Target")}


def test_every_function_is_described() -> None:
    described = {
        name for each in QUERY_SCHEMAS["Expression"]["anyOf"] for name in each.get("properties", ())
    }
    assert described == set(formulas._FUNCTIONS)


def test_every_reference_leads_somewhere() -> None:
    start = re.escape(REFERENCE.format(name=""))
    for name in re.findall(f"{start}(\\w+)", repr(QUERY_SCHEMAS)):
        assert name in {**SCHEMAS, **QUERY_SCHEMAS}, name
