"""The document says of each operation whether it needs a key, and how one is shown."""

from __future__ import annotations

from typing import Any

from palimpsest.app.access.documented import SCHEMES, describe_access


def described(is_shut: bool) -> dict[str, Any]:
    own = {"200": {"description": "fine"}, "403": {"description": "its own"}}
    paths = {
        "/healthz": {"get": {"responses": dict(own)}},
        "/collections": {"get": {"responses": dict(own)}},
    }
    return describe_access({"components": {}, "paths": paths}, is_shut)


def test_probes_alone_need_none() -> None:
    paths = described(True)["paths"]
    probe, other = paths["/healthz"]["get"], paths["/collections"]["get"]
    assert probe["security"] == []
    assert "401" not in probe["responses"]
    assert "security" not in other  # what holds for the whole document
    assert {"401", "429", "503"} <= other["responses"].keys()


def test_what_an_operation_says_itself_is_kept() -> None:
    responses = described(True)["paths"]["/collections"]["get"]["responses"]
    assert responses["403"] == {"description": "its own"}


def test_a_server_without_keys_lets_in_who_shows_none() -> None:
    assert {} in described(False)["security"]
    shut = described(True)["security"]
    assert {} not in shut
    assert [name for each in shut for name in each] == list(SCHEMES)
