"""Haystack's document store for Qdrant, beside the client's local mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from haystack import Document
from haystack.dataclasses import SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack_integrations.components.retrievers.qdrant import (
    QdrantEmbeddingRetriever,
    QdrantHybridRetriever,
    QdrantSparseEmbeddingRetriever,
)
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore

from tests.frameworks.conftest import House
from tests.frameworks.words import SIZE, TEXTS, dense, facts, sparse

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

INDEXES = [
    {"field_name": "meta.topic", "field_schema": "keyword"},
    {"field_name": "meta.page", "field_schema": "integer"},
]


def sparse_embedding(text: str) -> SparseEmbedding:
    indices, values = sparse(text)
    return SparseEmbedding(indices=indices, values=values)


def documents() -> list[Document]:
    return [
        Document(
            id=f"text-{n}",
            content=text,
            meta=dict(facts(n)),
            embedding=dense(text),
            sparse_embedding=sparse_embedding(text),
        )
        for n, text in enumerate(TEXTS)
    ]


def store(**options: Any) -> QdrantDocumentStore:
    return QdrantDocumentStore(
        embedding_dim=SIZE,
        use_sparse_embeddings=True,
        sparse_idf=True,
        progress_bar=False,
        write_batch_size=4,
        payload_fields_to_index=INDEXES,
        **options,
    )


@pytest.fixture
def stores(house: House) -> Iterator[tuple[QdrantDocumentStore, QdrantDocumentStore]]:
    """Our store and the reference, freshly filled."""
    both = store(url=house.url, recreate_index=True), store(location=":memory:")
    for one in both:
        assert one.write_documents(documents()) == len(TEXTS)
    yield both
    for one in both:
        one.close()


Both = tuple[QdrantDocumentStore, QdrantDocumentStore]


def alike(stores: Both, run: Callable[[QdrantDocumentStore], list[Document]]) -> list[str]:
    """Run with both; return the texts that both found."""
    ours, theirs = (run(one) for one in stores)
    assert [(one.id, one.content, one.meta) for one in ours] == [
        (one.id, one.content, one.meta) for one in theirs
    ]
    scores = [one.score or 0.0 for one in ours], [one.score or 0.0 for one in theirs]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    return [one.content or "" for one in ours]


def condition(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": f"meta.{field}", "operator": operator, "value": value}


FILTERS: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = {
    "equal": (condition("topic", "==", "sea"), lambda one: one["topic"] == "sea"),
    "unequal": (condition("topic", "!=", "sea"), lambda one: one["topic"] != "sea"),
    "above": (condition("page", ">", 6), lambda one: one["page"] > 6),
    "among": (condition("page", "in", [2, 5]), lambda one: one["page"] in (2, 5)),
    "not among": (condition("page", "not in", [2, 5]), lambda one: one["page"] not in (2, 5)),
    "and": (
        {
            "operator": "AND",
            "conditions": [condition("topic", "==", "food"), condition("page", "<=", 3)],
        },
        lambda one: one["topic"] == "food" and one["page"] <= 3,
    ),
    "not or": (
        {
            "operator": "NOT",
            "conditions": [
                {
                    "operator": "OR",
                    "conditions": [condition("topic", "==", "food"), condition("page", ">=", 7)],
                }
            ],
        },
        lambda one: one["topic"] != "food" and one["page"] < 7,
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(stores: Both, name: str) -> None:
    filters, holds = FILTERS[name]
    found = alike(stores, lambda one: one.filter_documents(filters))
    assert set(found) == {TEXTS[n] for n in range(len(TEXTS)) if holds(facts(n))}
    assert stores[0].count_documents_by_filter(filters) == len(found)


def test_retrievers(stores: Both) -> None:
    text = "snow in the mountain village"
    food = FILTERS["and"][0]
    for filters in (None, food):
        by_vector = alike(
            stores,
            lambda one, filters=filters: QdrantEmbeddingRetriever(
                one, filters=filters, top_k=3
            ).run(dense(text))["documents"],
        )
        by_words = alike(
            stores,
            lambda one, filters=filters: QdrantSparseEmbeddingRetriever(
                one, filters=filters, top_k=3
            ).run(sparse_embedding(text))["documents"],
        )
        assert (by_vector[0], by_words[0]) == (TEXTS[8], TEXTS[8]) or filters


@pytest.mark.parametrize(
    "options",
    [{}, {"rrf_k": 60}, {"rrf_k": 5, "rrf_weights": [3.0, 1.0]}, {"score_threshold": 0.45}],
    ids=str,
)
def test_hybrid_retriever(stores: Both, options: dict[str, Any]) -> None:
    text = "bread and cheese of the mountain"

    def run(one: QdrantDocumentStore) -> list[Document]:
        retriever = QdrantHybridRetriever(one, top_k=4, return_embedding=True, **options)
        found: list[Document] = retriever.run(dense(text), sparse_embedding(text))["documents"]
        assert all(each.embedding and each.sparse_embedding for each in found)
        return found

    assert alike(stores, run)[0] == TEXTS[3]


def test_groups(stores: Both) -> None:
    grouped = QdrantEmbeddingRetriever
    found = alike(
        stores,
        lambda one: grouped(one, top_k=2, group_by="meta.topic", group_size=1).run(
            dense("fishing boats in the snow")
        )["documents"],
    )
    assert len(found) == 2


def test_metadata_is_updated_by_filter(stores: Both) -> None:
    for one in stores:
        assert one.update_by_filter(FILTERS["equal"][0], {"topic": "ocean", "seen": True}) == 2
    found = alike(stores, lambda one: one.filter_documents(condition("topic", "==", "ocean")))
    assert set(found) == {TEXTS[0], TEXTS[1]}


def test_metadata_is_described(stores: Both) -> None:
    ours, theirs = stores
    assert ours.count_unique_metadata_by_filter({}, ["topic", "page"]) == {"topic": 4, "page": 10}
    assert ours.get_metadata_field_min_max("page") == {"min": 0, "max": 9}
    assert ours.get_metadata_field_min_max("page") == theirs.get_metadata_field_min_max("page")
    described = ours.get_metadata_fields_info()
    assert {
        key: one["type"]
        for key, one in described.items()
        if key in ("meta.topic", "meta.page", "topic", "page")
    }


def test_duplicates(stores: Both) -> None:
    with pytest.raises(DuplicateDocumentError):
        stores[0].write_documents(documents()[:1], policy=DuplicatePolicy.FAIL)
    changed = documents()[:1]
    changed[0].meta["topic"] = "harbour"
    for one in stores:
        one.write_documents(changed, policy=DuplicatePolicy.SKIP)
        assert one.count_documents_by_filter(condition("topic", "==", "harbour")) == 0
        one.write_documents(changed, policy=DuplicatePolicy.OVERWRITE)
        assert one.count_documents_by_filter(condition("topic", "==", "harbour")) == 1


def test_deletions(stores: Both) -> None:
    for one in stores:
        one.delete_documents(["text-0", "text-1", "unknown"])
        assert one.count_documents() == len(TEXTS) - 2
        assert one.delete_by_filter(FILTERS["above"][0]) == 3
        assert one.count_documents() == len(TEXTS) - 5
        one.delete_all_documents()
        assert one.count_documents() == 0


def test_a_store_reopened_after_a_kill(house: House) -> None:
    unchecked = {"check_compatibility": False}  # no thread still asks when the server dies
    store(url=house.url, index="kept", client_kwargs=unchecked).write_documents(documents())
    house.reopen()
    again = store(url=house.url, index="kept")
    assert again.count_documents() == len(TEXTS)
    found = QdrantHybridRetriever(again, top_k=1).run(dense(TEXTS[6]), sparse_embedding(TEXTS[6]))
    assert found["documents"][0].content == TEXTS[6]


def test_a_store_of_another_size_is_refused(house: House) -> None:
    store(url=house.url, index="sized").write_documents(documents())
    other = QdrantDocumentStore(
        url=house.url, index="sized", embedding_dim=3, use_sparse_embeddings=True
    )
    with pytest.raises(ValueError, match="dimension|size"):
        other.count_documents()
