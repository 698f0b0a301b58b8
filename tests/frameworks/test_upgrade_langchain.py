"""A collection made by an unmodified LangChain script, taken through a change of its model.

The script with the old model and the script with the new one are the same code; they differ in the
embeddings they are given and, until the new version is active, in the collection's name.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_qdrant import QdrantVectorStore
from langchain_qdrant.qdrant import QdrantVectorStoreError

from tests.frameworks.conftest import House
from tests.frameworks.upgrades import MIGRATED, QUERIES, TEXTS, Operator, new_dense, old_dense

NAME = "langchain-upgrade"
IDS = [str(uuid.UUID(int=2**100 + n, version=4)) for n in range(len(TEXTS))]


class Old(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [old_dense(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return old_dense(text)


class New(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [new_dense(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return new_dense(text)


def opened(house: House, name: str, embedding: Embeddings) -> QdrantVectorStore:
    return QdrantVectorStore.from_existing_collection(
        collection_name=name, embedding=embedding, url=house.url
    )


def found(store: QdrantVectorStore) -> list[list[str]]:
    """What the script answers: the texts closest to each query, in three ways of asking."""
    answers = []
    for query in QUERIES:
        plain = store.similarity_search(query, k=5)
        assert store.embeddings is not None
        vector = store.embeddings.embed_query(query)
        # This one looks at size and distance of the collection each time.
        by_vector = store.similarity_search_with_score_by_vector(vector, k=5)
        assert texts([one for one, _ in by_vector]) == texts(plain)
        retrieved = store.as_retriever(search_kwargs={"k": 5}).invoke(query)
        assert texts(retrieved) == texts(plain)
        answers.append(texts(plain))
    return answers


def texts(documents: list[Document]) -> list[str]:
    return [one.page_content for one in documents]


def share(some: list[list[str]], others: list[list[str]]) -> float:
    """How much of some answers stands in others."""
    common = sum(len(set(a) & set(b)) for a, b in zip(some, others, strict=True))
    return common / sum(map(len, some))


@pytest.fixture
def operator(house: House) -> Iterator[Operator]:
    running = Operator(house.url, NAME)
    yield running
    running.close()


def test_a_whole_upgrade(house: House, operator: Operator) -> None:
    metadatas = [{"n": n} for n in range(len(TEXTS))]
    old = QdrantVectorStore.from_texts(
        TEXTS, Old(), metadatas, IDS, collection_name=NAME, url=house.url, force_recreate=True
    )
    reference = QdrantVectorStore.from_texts(
        TEXTS, New(), metadatas, IDS, collection_name=NAME, location=":memory:"
    )
    at_first, at_last = found(old), found(reference)

    operator.declare()
    assert found(old) == at_first
    new = opened(house, f"{NAME}@v2", New())
    new.add_texts(TEXTS[:MIGRATED], metadatas[:MIGRATED], IDS[:MIGRATED])
    assert found(old) == at_first

    fitted = operator.fit()
    assert fitted["report"]["verdict"] in ("compare", "cascade", "cascade_from_old", "reindex")
    assert found(old) == at_first
    bridged = share(at_last, found(new))
    assert bridged > 0.6
    assert operator.compare()

    seen = set(IDS[:MIGRATED])
    while points := operator.backfill(60):
        payloads = [one["payload"] for one in points]
        ids = [one["id"] for one in points]
        assert not seen & set(ids)
        seen |= set(ids)
        new.add_texts(
            [one["page_content"] for one in payloads], [one["metadata"] for one in payloads], ids
        )
        assert found(old) == at_first
        assert share(at_last, found(new)) > 0.6
    assert seen == set(IDS)
    assert operator.status()["coverage"] == 1.0
    assert found(new) == at_last

    operator.activate("v2")
    assert found(opened(house, NAME, New())) == at_last
    assert found(opened(house, f"{NAME}@v1", Old())) == at_first
    with pytest.raises(QdrantVectorStoreError):
        opened(house, NAME, Old())

    operator.activate("v1")  # back, and forth again
    assert found(old) == at_first
    operator.activate("v2")
    house.reopen()
    after = Operator(house.url, NAME)
    assert after.states() == {"v1": "serving", "v2": "active"}
    after.drop("v1")
    assert after.states() == {"v2": "active"}
    after.close()
    store = opened(house, NAME, New())
    assert found(store) == at_last
    store.add_texts(["a lighthouse on the island"], ids=[str(uuid.UUID(int=7))])
    assert texts(store.similarity_search("a lighthouse on the island", k=1)) == [
        "a lighthouse on the island"
    ]
    assert store.delete([IDS[0]])
    assert store.get_by_ids([IDS[0]]) == []


def test_the_new_version_serves_a_framework_before_an_adapter_is_fitted(
    house: House, operator: Operator
) -> None:
    """What ``from_texts`` writes to ``docs@v2`` it can search at once, beside all that lack v2."""
    name = f"{NAME}@v2"
    operator.http.delete(operator.path)
    old = QdrantVectorStore.from_texts(
        TEXTS[:60], Old(), ids=IDS[:60], collection_name=NAME, url=house.url
    )
    operator.declare()
    new = QdrantVectorStore.from_texts(
        TEXTS[60:90], New(), ids=IDS[60:90], collection_name=name, url=house.url
    )
    for query in QUERIES:
        best = texts(new.similarity_search(query, k=5))
        assert len(best) == 5 and {*best} <= {*TEXTS[60:90]}
        assert {*texts(old.similarity_search(query, k=5))} <= {*TEXTS[:60]}
    vector = new_dense(QUERIES[0])
    reply = operator.http.post(f"/collections/{name}/points/query", json={"query": vector}).json()
    assert reply["warnings"][0].startswith("60 points hold only version 'v1'")
    info = operator.http.get(f"/collections/{name}").json()["result"]
    assert info["warnings"][0]["message"] == reply["warnings"][0]
    assert opened(house, name, New()).client.get_collection(name).points_count == 90
