"""Telemetry in the shape that qdrant-client reads."""

from __future__ import annotations

import httpx
from qdrant_client import models

from tests.api.replies import result


def test_telemetry(http: httpx.Client, collection: str) -> None:
    result(http.post(f"/collections/{collection}/points/count", json={}))
    told = result(http.get("/telemetry"))
    read = models.TelemetryData.model_validate(told)
    assert read.collections.number_of_collections >= 1
    assert len(read.collections.collections or []) == read.collections.number_of_collections
    counted = told["requests"]["rest"]["responses"]
    route = "POST /collections/{collection_name}/points/count"
    assert counted[route]["200"]["count"] >= 1
    assert counted[route]["200"]["avg_duration_micros"] > 0
