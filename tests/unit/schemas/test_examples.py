"""Examples go into a document by the names of its operations, each in its order."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.schemas.examples import EXAMPLES, add_examples


def document(operation: str, parameters: list[str]) -> dict[str, Any]:
    one = {
        "operationId": operation,
        "description": "What it does.",
        "parameters": [{"name": name} for name in parameters],
        "requestBody": {"content": {"application/json": {}}},
    }
    return {"paths": {"/some": {"put": one}}}


def test_parameters_and_bodies() -> None:
    given = document("upsert_points", ["collection_name", "wait", "ordering"])
    add_examples(given)
    found = given["paths"]["/some"]["put"]
    assert found["parameters"] == [
        {"name": "collection_name", "example": "pets"},
        {"name": "wait", "example": True},
        {"name": "ordering"},
    ]
    body = found["requestBody"]["content"]["application/json"]["example"]
    assert body == EXAMPLES["upsert_points"].body
    assert found["x-example-number"] == list(EXAMPLES).index("upsert_points") + 1
    assert found["description"].startswith("What it does.\n\nExample ")


def test_an_operation_without_an_example_is_missed() -> None:
    with pytest.raises(KeyError):
        add_examples(document("made_up", []))


def test_nothing_is_asked_of_a_collection_that_is_gone() -> None:
    names = list(EXAMPLES)
    below = names[names.index("delete_collection") + 1 :]
    assert not any("point" in name or "version" in name for name in below)
    assert names.index("create_collection") < names.index("upsert_points")
