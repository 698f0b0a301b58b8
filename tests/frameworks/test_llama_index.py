"""LlamaIndex's vector store for Qdrant, beside the client's local mode."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import AsyncQdrantClient, QdrantClient, models

from tests.frameworks.conftest import House
from tests.frameworks.words import IDS, TEXTS, dense, facts, sparse


def encode(texts: list[str]) -> tuple[list[list[int]], list[list[float]]]:
    """Return sparse vectors as this framework wants them: all indices, then all values."""
    pairs = [sparse(text) for text in texts]
    return [indices for indices, _ in pairs], [values for _, values in pairs]


HYBRID: dict[str, Any] = {"enable_hybrid": True, "sparse_doc_fn": encode, "sparse_query_fn": encode}


def nodes() -> list[TextNode]:
    """Return the texts as nodes; two and two are of one document."""
    return [
        TextNode(
            id_=IDS[n],
            text=text,
            metadata=facts(n),
            embedding=dense(text),
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document-{n // 2}")},
        )
        for n, text in enumerate(TEXTS)
    ]


@pytest.fixture
def clients(house: House) -> Iterator[tuple[QdrantClient, QdrantClient]]:
    """A client of ours and the reference."""
    both = QdrantClient(url=house.url), QdrantClient(":memory:")
    yield both
    for client in both:
        client.close()


def stores(
    clients: tuple[QdrantClient, QdrantClient], name: str, **options: Any
) -> list[QdrantVectorStore]:
    filled = []
    for client in clients:
        store = QdrantVectorStore(name, client=client, batch_size=4, **options)
        assert store.add(nodes()) == IDS
        filled.append(store)
    return filled


def asked(text: str, **options: Any) -> VectorStoreQuery:
    return VectorStoreQuery(
        query_embedding=dense(text), query_str=text, similarity_top_k=3, **options
    )


def found(answer: VectorStoreQueryResult) -> list[tuple[str, Any]]:
    assert answer.nodes is not None and answer.similarities is not None
    return [
        (node.get_content(), pytest.approx(score, rel=1e-4))
        for node, score in zip(answer.nodes, answer.similarities, strict=True)
    ]


def alike(both: list[QdrantVectorStore], query: VectorStoreQuery) -> list[str]:
    """Query both; return the texts that both found."""
    ours, theirs = (store.query(query) for store in both)
    mine = [(text, score.expected) for text, score in found(ours)]
    assert found(theirs) == mine
    return [text for text, _ in mine]


def only(key: str, value: Any, operator: FilterOperator) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


FILTERS: dict[str, tuple[MetadataFilters, Callable[[dict[str, Any]], bool]]] = {
    "equal": (only("topic", "sea", FilterOperator.EQ), lambda one: one["topic"] == "sea"),
    "unequal": (only("topic", "sea", FilterOperator.NE), lambda one: one["topic"] != "sea"),
    "above": (only("page", 6, FilterOperator.GT), lambda one: one["page"] > 6),
    "at most": (only("page", 1, FilterOperator.LTE), lambda one: one["page"] <= 1),
    "among": (only("page", [2, 5], FilterOperator.IN), lambda one: one["page"] in (2, 5)),
    "not among": (
        only("topic", ["sea", "food"], FilterOperator.NIN),
        lambda one: one["topic"] not in ("sea", "food"),
    ),
    "text": (only("topic", "HILL", FilterOperator.TEXT_MATCH), lambda one: one["topic"] == "hill"),
    "empty": (only("nothing", None, FilterOperator.IS_EMPTY), lambda one: True),
    "either": (
        MetadataFilters(
            filters=[
                MetadataFilter(key="topic", value="sea"),
                MetadataFilters(
                    filters=[
                        MetadataFilter(key="topic", value="hill"),
                        MetadataFilter(key="page", value=9),
                    ],
                    condition=FilterCondition.NOT,
                ),
            ],
            condition=FilterCondition.OR,
        ),
        lambda one: one["topic"] != "hill" and one["page"] != 9,
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_metadata_filters(clients: tuple[QdrantClient, QdrantClient], name: str) -> None:
    filters, holds = FILTERS[name]
    both = stores(clients, f"llama-{name.replace(' ', '-')}")
    expected = {TEXTS[n] for n in range(len(TEXTS)) if holds(facts(n))}
    for store in both:
        query = asked("the old town", filters=filters)
        query.similarity_top_k = len(TEXTS)
        assert {text for text, _ in found(store.query(query))} == expected
        assert {node.get_content() for node in store.get_nodes(filters=filters)} == expected
    alike(both, asked("the old town of fishing boats", filters=filters))


def test_hybrid_search(clients: tuple[QdrantClient, QdrantClient]) -> None:
    both = stores(clients, "llama-hybrid", **HYBRID)
    for mode in (
        VectorStoreQueryMode.HYBRID,
        VectorStoreQueryMode.SPARSE,
        VectorStoreQueryMode.DEFAULT,
    ):
        for alpha in (0.1, 0.9):
            query = asked("snow covers the village", mode=mode, alpha=alpha)
            assert alike(both, query)[0] == TEXTS[8]


def test_delete_and_clear(clients: tuple[QdrantClient, QdrantClient]) -> None:
    for store in stores(clients, "llama-delete"):
        store.delete("document-0")
        store.delete_nodes([IDS[2]])
        store.delete_nodes(filters=only("topic", "hill", FilterOperator.EQ))
        left = {node.node_id for node in store.get_nodes()}
        assert left == set(IDS[3:7])
        assert {node.node_id for node in store.get_nodes(node_ids=[IDS[0], IDS[3]])} == {IDS[3]}
        store.clear()
        assert not store.client.collection_exists("llama-delete")


def test_payload_indexes(clients: tuple[QdrantClient, QdrantClient]) -> None:
    index = {"field_name": "page", "field_schema": models.PayloadSchemaType.INTEGER}
    store = QdrantVectorStore("llama-indexes", client=clients[0], payload_indexes=[index])
    store.add(nodes())
    schema = clients[0].get_collection("llama-indexes").payload_schema
    assert {key: one.data_type.value for key, one in schema.items()} == {
        "page": "integer",
        "doc_id": "keyword",
    }
    assert schema["page"].points == len(TEXTS)


def test_an_asynchronous_store(house: House) -> None:
    async def story() -> tuple[list[str], list[str]]:
        client = AsyncQdrantClient(url=house.url)
        store = QdrantVectorStore("llama-async", aclient=client, **HYBRID)
        assert await store.async_add(nodes()) == IDS
        query = asked("a violin concert tonight", mode=VectorStoreQueryMode.HYBRID)
        best = [text for text, _ in found(await store.aquery(query))]
        await store.adelete("document-2")
        left = [node.node_id for node in await store.aget_nodes(limit=100)]
        await client.close()
        return best, left

    best, left = asyncio.run(story())
    assert best[0] == TEXTS[5]
    assert set(left) == {*IDS} - {IDS[4], IDS[5]}


def test_a_store_reopened_after_a_kill(house: House) -> None:
    client = QdrantClient(url=house.url, check_compatibility=False)
    QdrantVectorStore("llama-kept", client=client, **HYBRID).add(nodes())
    client.close()
    house.reopen()
    client = QdrantClient(url=house.url)
    again = QdrantVectorStore("llama-kept", client=client, **HYBRID)
    query = asked(
        "bread of rye flour", mode=VectorStoreQueryMode.HYBRID, filters=FILTERS["above"][0]
    )
    assert {text for text, _ in found(again.query(query))} <= set(TEXTS[7:])
    query.filters = None
    assert found(again.query(query))[0][0] == TEXTS[4]
    again.add(nodes())  # a second creation is answered 409, which the store must understand
    assert client.count("llama-kept").count == len(TEXTS)
    client.close()
