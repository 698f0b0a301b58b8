"""Requests made up from our own OpenAPI document, sent to a server that asks for keys.

Whatever the request holds, who may not send it is refused, and by nothing but 401 and 403.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from palimpsest.app.access.rights import Level
from palimpsest.app.access.table import Right, right_of
from tests.api import access
from tests.api.served import Server, serving
from tests.api.test_openapi import OPERATIONS

OTHERS = access.token(access.rights(another="m"))  # of a collection that no request names
CREDENTIALS = (None, access.READ_ONLY, OTHERS)
UNFOUND = {404, 405}  # a made-up name may hold what leads to no route
CHECKS: list[Any] = [not_a_server_error, status_code_conformance, content_type_conformance]
EXAMPLES = 5  # of each operation, each sent by everyone


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own that asks for keys; it keeps what it has, for nobody here may write."""
    with serving(tmp_path_factory.mktemp("shut"), **access.SETTINGS) as running:
        yield running


def expected(label: str, credential: str | None, query: dict[str, Any]) -> int | None:
    """The status that an operation is refused with, None where it is not."""
    right = right_of(*label.split(" ", 1))
    if right.scope == "open":
        if "verbose" not in query:
            return None
        right = Right("server", Level.READ)
    if credential is None:
        return 401
    if right.scope == "credential":
        return None
    if credential == OTHERS:
        return 403
    return None if right.level <= Level.READ else 403


@pytest.mark.parametrize("label", OPERATIONS)
def test_nothing_that_is_sent_gets_past_the_rights(label: str, shut: Server) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy())
    def check(case: Any) -> None:
        for credential in CREDENTIALS:
            wanted = expected(label, credential, case.query or {})
            reply = case.call(base_url=shut.url, headers=dict(access.shown(credential)))
            told = f"{label} by {credential}: {reply.status_code}"
            if wanted == 401:
                assert reply.status_code == 401, told
            elif wanted is not None:
                assert reply.status_code == wanted or reply.status_code in UNFOUND, told
            else:
                assert reply.status_code != 401, told
                case.validate_response(reply, checks=CHECKS)

    check()
