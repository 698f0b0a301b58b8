"""Requests made up from our own OpenAPI document: no 5xx, and every reply is as the document says.

Names in paths are those of things that exist more often than not, so that calls get past 404.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from palimpsest.app.main import create_app
from palimpsest.app.settings import Settings
from tests.api.served import Server, serving

NAME = "described"
KNOWN = {
    "collection_name": NAME,
    "id": 1,
    "field_name": "word",
    "vector_name": "further",
    "version": "v2",
    "rows": "v1",
    "queries": "v2",
}
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 40  # of each operation


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, which made-up requests may fill with collections."""
    with serving(tmp_path_factory.mktemp("described")) as running:
        yield running


DOCUMENT = schemathesis.openapi.from_dict(create_app(Settings()).app.openapi())
OPERATIONS = {one.ok().label: one.ok() for one in DOCUMENT.get_all_operations()}


@pytest.fixture(scope="module")
def collection(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{own.url}/collections/{NAME}") as client:
        yield client


def restore(client: httpx.Client) -> None:
    """Make what `KNOWN` names, as far as earlier requests took it away."""
    if client.get("/exists").json()["result"]["exists"]:
        if client.get("/versions").json()["result"]["versions"]:
            client.put("/versions/v2", json={"size": 4})
        return
    body = {
        "vectors": {
            "": {"size": 3, "distance": "Dot"},
            "other": {"size": 2, "distance": "Euclid"},
        },
        "sparse_vectors": {"sparse": {"modifier": "idf"}},
    }
    assert client.put("", json=body).status_code == 200
    points = [
        {
            "id": n,
            "vector": {"": [n, 1, 2], "sparse": {"indices": [n], "values": [0.5]}},
            "payload": {"word": f"w{n % 3}", "n": n},
        }
        for n in range(10)
    ]
    assert client.put("/points?wait=true", json={"points": points}).status_code == 200
    field = {"field_name": "word", "field_schema": "keyword"}
    assert client.put("/index?wait=true", json=field).status_code == 200


@pytest.mark.parametrize("label", OPERATIONS)
def test_replies_are_as_the_document_says(
    label: str, own: Server, collection: httpx.Client
) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(), known=st.booleans())
    def check(case: Any, known: bool) -> None:
        restore(collection)
        if known:
            case.path_parameters = {
                name: KNOWN.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        case.call_and_validate(base_url=own.url, checks=CHECKS)

    check()
