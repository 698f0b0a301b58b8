"""Budgets of requests fill in a minute, by collection, and begin anew with its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from palimpsest.app.errors import Refusal
from palimpsest.app.rates import MINUTE, Rates
from tests.api.replies import refused, result
from tests.api.served import Server

V = [1.0, 2.0, 3.0]


ONE = {"id": 2, "vector": {"": V}}


def test_reads_are_let_through_again(http: httpx.Client, limited: Callable[..., str]) -> None:
    path = limited(read_rate_limit=2)
    replies = [http.post(f"{path}/points/count", json={}) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
    text = refused(replies[-1], 429)
    assert "Rate limiting exceeded: Read rate limit exceeded" in text
    assert 0 < int(replies[-1].headers["retry-after"]) <= 60
    result(http.get(path))  # what a collection is may always be asked
    assert http.post(f"{path}/points/query", json={"query": V}).status_code == 429
    result(http.put(f"{path}/points", json={"points": [ONE]}))


def test_a_collection_of_the_name_of_a_dropped_one_begins_anew(
    http: httpx.Client, limited: Callable[..., str]
) -> None:
    path = limited(read_rate_limit=1)
    for _ in range(2):
        result(http.post(f"{path}/points/count", json={}))
        refused(http.post(f"{path}/points/count", json={}), 429)
        body = {
            "vectors": {"size": 3, "distance": "Dot"},
            "strict_mode_config": {"enabled": True, "read_rate_limit": 1},
        }
        assert result(http.delete(path)) is True
        result(http.put(path, json=body))


def test_a_write_above_the_whole_budget_is_not_to_be_repeated(
    http: httpx.Client, limited: Callable[..., str], server: Server
) -> None:
    path = limited(write_rate_limit=3)
    many = {"points": [{**ONE, "id": i} for i in range(4)]}
    reply = http.put(f"{path}/points", json=many)
    assert "Write rate limit exceeded" in refused(reply, 429)
    assert "retry-after" not in reply.headers
    result(http.put(f"{path}/points", json={"points": many["points"][:3]}))
    again = http.put(f"{path}/points", json={"points": many["points"][:3]})
    assert refused(again, 429)
    client = QdrantClient(url=server.url)
    with pytest.raises(ResourceExhaustedResponse) as caught:
        client.clear_payload(path.rpartition("/")[2], [1, 2, 3])
    assert caught.value.retry_after_s > 0
    client.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time that ``Rates`` sees."""
    now = [1000.0]
    monkeypatch.setattr("palimpsest.app.rates.monotonic", lambda: now[0])
    yield now


def test_a_budget_fills_in_a_minute(clock: list[float]) -> None:
    rates = Rates()
    rates.take("c", "Write", 60, 60)
    with pytest.raises(Refusal, match="requires 3 tokens but only 0.0") as caught:
        rates.take("c", "Write", 3, 60)
    assert caught.value.headers == {"retry-after": "3"}
    rates.require("c", "Read", 60, 60)  # takes none
    rates.take("c", "Read", 60, 60)
    with pytest.raises(Refusal, match="requires 1 tokens"):
        rates.require("c", "Read", 1, 60)
    rates.take("other", "Write", 60, 60)
    clock[0] += 3
    rates.take("c", "Write", 3, 60)
    clock[0] += 10 * MINUTE
    rates.take("c", "Write", 60, 60)
    with pytest.raises(Refusal):
        rates.take("c", "Write", 1, 60)
