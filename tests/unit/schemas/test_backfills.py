"""What is listed to embed: payloads as they were stored, and only where they were asked for."""

from __future__ import annotations

import json
from uuid import UUID

import msgspec
import pytest
from pydantic import ValidationError

from palimpsest.app.schemas.backfills import MAX_LIMIT, BackfillParameters, to_backfill
from palimpsest.index import BackfillPoint

POINT = UUID("936da01f-9abd-4d9d-80c7-02af85c822a8")
POINTS = [
    BackfillPoint(2**64 - 1, '{"é": 9007199254740993}'.encode(), 0.5, None, "random"),
    BackfillPoint(POINT, None, 0.0, 0.25, "demand"),
]


def test_payloads_are_sent_as_they_are_stored() -> None:
    text = msgspec.json.encode(to_backfill(POINTS, with_payload=True))
    first, second = json.loads(text)["points"]
    assert '{"é": 9007199254740993}'.encode() in text
    assert first["id"] == 2**64 - 1
    assert (second["id"], second["payload"], second["residual"]) == (str(POINT), {}, 0.25)


def test_payloads_that_nobody_asked_for_are_left_out() -> None:
    for each in json.loads(msgspec.json.encode(to_backfill(POINTS, with_payload=False)))["points"]:
        assert "payload" not in each
        assert each.keys() >= {"id", "demand", "residual", "reason"}


@pytest.mark.parametrize("wrong", [{"limit": MAX_LIMIT + 1}, {"random_share": 1.01}, {"order": ""}])
def test_bounds(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BackfillParameters.model_validate({"version": "v2", **wrong})
