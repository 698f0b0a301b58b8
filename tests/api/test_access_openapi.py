"""Requests made up from the OpenAPI document of a server with keys: none gets in without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from app.access.table import is_open
from app.main import create_app
from app.settings import Settings
from tests.api.access import FULL, SETTINGS, client, rights, shown, token
from tests.api.served import Server, serving

CHECKS: list[Any] = [not_a_server_error, status_code_conformance, content_type_conformance]
EXAMPLES = 4  # of each operation
DOCUMENT = schemathesis.openapi.from_dict(create_app(Settings(api_key=FULL)).app.openapi())
OPERATIONS = {one.ok().label: one.ok() for one in DOCUMENT.get_all_operations()}
GUARDED = [label for label in OPERATIONS if not is_open(*label.split(" ", 1), b"")]
LISTS = {"GET /collections", "GET /aliases", "POST /collections/aliases"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("made-up"), **SETTINGS) as running:
        yield running


@pytest.mark.parametrize("label", GUARDED)
def test_made_up_requests_get_in_by_a_key_alone(label: str, guarded: Server) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy())
    def check(case: Any) -> None:
        case.headers.pop("api-key", None)
        case.headers.pop("Authorization", None)
        reply = case.call(base_url=guarded.url)
        case.validate_response(reply, checks=CHECKS)
        assert reply.status_code in (400, 401, 415)  # 400 and 415: not even HTTP as we speak it
        other = case.call(base_url=guarded.url, headers=shown(token(rights(nobody="m"))))
        case.validate_response(other, checks=CHECKS)
        if label not in LISTS:
            assert other.status_code in (400, 403, 404, 405, 415)
        case.call_and_validate(base_url=guarded.url, headers=shown(FULL), checks=CHECKS)

    check()


def test_nothing_was_done_by_those_without_a_right(guarded: Server) -> None:
    """Collections there are were made by the full key, which the other rights did not see."""
    with client(guarded.url, token(rights(nobody="m"))) as other:
        assert other.get("/collections").json()["result"]["collections"] == []
