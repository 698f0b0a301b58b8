"""LangChain's tutorial for Qdrant, with only the URL changed, beside the client's local mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_qdrant import QdrantVectorStore, RetrievalMode, SparseEmbeddings, SparseVector
from langchain_qdrant.qdrant import QdrantVectorStoreError
from qdrant_client import QdrantClient, models

from tests.frameworks.conftest import House
from tests.frameworks.words import IDS, TEXTS, dense, facts, sparse

SEA = models.Filter(
    must=[models.FieldCondition(key="metadata.topic", match=models.MatchValue(value="sea"))]
)


class Dense(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [dense(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return dense(text)


class Sparse(SparseEmbeddings):
    def embed_documents(self, texts: list[str]) -> list[SparseVector]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> SparseVector:
        indices, values = sparse(text)
        return SparseVector(indices=indices, values=values)


MODES: dict[RetrievalMode, dict[str, Any]] = {
    RetrievalMode.DENSE: {"embedding": Dense()},
    RetrievalMode.SPARSE: {"sparse_embedding": Sparse()},
    RetrievalMode.HYBRID: {"embedding": Dense(), "sparse_embedding": Sparse()},
}


def index_texts(mode: RetrievalMode, name: str, **where: Any) -> QdrantVectorStore:
    return QdrantVectorStore.from_texts(
        TEXTS,
        metadatas=[facts(n) for n in range(len(TEXTS))],
        ids=IDS,
        collection_name=name,
        retrieval_mode=mode,
        batch_size=4,
        **MODES[mode],
        **where,
    )


def seen(found: list[tuple[Document, float]]) -> list[tuple[str, Any, Any]]:
    return [
        (one.page_content, one.metadata["_id"], pytest.approx(score, rel=1e-4))
        for one, score in found
    ]


def texts(found: list[Document]) -> list[str]:
    return [one.page_content for one in found]


@pytest.fixture(params=MODES, ids=lambda mode: mode.value)
def stores(
    request: pytest.FixtureRequest, house: House
) -> tuple[QdrantVectorStore, QdrantVectorStore]:
    """Our store and the reference, in one of the modes, freshly filled."""
    name = f"langchain-{request.param.value}"
    ours = index_texts(request.param, name, url=house.url, force_recreate=True)
    return ours, index_texts(request.param, name, location=":memory:")


def alike(
    stores: tuple[QdrantVectorStore, QdrantVectorStore],
    search: Callable[[QdrantVectorStore], list[tuple[Document, float]]],
) -> list[str]:
    """Search both; return the texts that both found."""
    ours, theirs = (search(store) for store in stores)
    assert [seen([one])[0] for one in theirs] == [
        (one.page_content, one.metadata["_id"], score) for one, score in ours
    ]
    assert [one.metadata["topic"] for one, _ in ours] == [
        one.metadata["topic"] for one, _ in theirs
    ]
    return [one.page_content for one, _ in ours]


def test_similarity_search_with_score(stores: tuple[QdrantVectorStore, QdrantVectorStore]) -> None:
    found = alike(
        stores,
        lambda store: store.similarity_search_with_score("a harbour with fishing boats", k=2),
    )
    assert set(found) == {TEXTS[0], TEXTS[1]}


def test_filter_and_offset(stores: tuple[QdrantVectorStore, QdrantVectorStore]) -> None:
    found = alike(
        stores,
        lambda store: store.similarity_search_with_score(
            "the mackerel of the old town", k=5, filter=SEA
        ),
    )
    assert set(found) == {TEXTS[0], TEXTS[1]}
    rest = alike(
        stores,
        lambda store: store.similarity_search_with_score(
            "the mackerel of the old town", k=5, filter=SEA, offset=1
        ),
    )
    assert rest == found[1:]


def test_delete_and_get_by_ids(stores: tuple[QdrantVectorStore, QdrantVectorStore]) -> None:
    for store in stores:
        assert texts(store.get_by_ids([IDS[4]])) == [TEXTS[4]]
        assert store.delete([IDS[4], IDS[5]])
        assert store.get_by_ids([IDS[4], IDS[5]]) == []
    found = alike(
        stores,
        lambda store: store.similarity_search_with_score("bread is baked with a violin", k=3),
    )
    assert not {TEXTS[4], TEXTS[5]} & set(found)


def test_maximal_marginal_relevance(house: House) -> None:
    ours = index_texts(RetrievalMode.DENSE, "langchain-mmr", url=house.url)
    theirs = index_texts(RetrievalMode.DENSE, "langchain-mmr", location=":memory:")

    def chosen(store: QdrantVectorStore) -> list[str]:
        found = store.max_marginal_relevance_search(
            "the fishing boats of the harbour", k=3, fetch_k=8, lambda_mult=0.7
        )
        return texts(found)

    plain = texts(ours.similarity_search("the fishing boats of the harbour", k=3))
    assert chosen(ours) == chosen(theirs)
    assert chosen(ours)[0] == plain[0]
    assert chosen(ours) != plain


def test_search_by_vector_looks_at_the_collection_each_time(house: House) -> None:
    ours = index_texts(RetrievalMode.DENSE, "langchain-vector", url=house.url)
    ((first, score),) = ours.similarity_search_with_score_by_vector(dense(TEXTS[7]), k=1)
    assert first.page_content == TEXTS[7]
    assert score == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(QdrantVectorStoreError, match="dimensions"):
        ours.similarity_search_with_score_by_vector([1.0, 2.0], k=1)


def test_hybrid_by_distribution(house: House) -> None:
    name, by_distribution = "langchain-dbsf", models.FusionQuery(fusion=models.Fusion.DBSF)
    both = (
        index_texts(RetrievalMode.HYBRID, name, url=house.url),
        index_texts(RetrievalMode.HYBRID, name, location=":memory:"),
    )
    found = alike(
        both,
        lambda store: store.similarity_search_with_score(
            "snow in the mountain village", k=4, hybrid_fusion=by_distribution
        ),
    )
    assert found[0] == TEXTS[8]


def test_retriever(house: House) -> None:
    ours = index_texts(RetrievalMode.DENSE, "langchain-retriever", url=house.url)
    retriever = ours.as_retriever(search_type="mmr", search_kwargs={"k": 2})
    assert texts(retriever.invoke("a violin concert tonight"))[0] == TEXTS[5]


def test_a_store_reopened_after_a_kill(house: House) -> None:
    kept = {"url": house.url, "check_compatibility": False}  # no thread still asks when it dies
    index_texts(RetrievalMode.HYBRID, "langchain-kept", **kept).delete([IDS[0]])
    house.reopen()
    again = QdrantVectorStore.from_existing_collection(
        "langchain-kept",
        url=house.url,
        retrieval_mode=RetrievalMode.HYBRID,
        **MODES[RetrievalMode.HYBRID],
    )
    found = texts(again.similarity_search("a harbour with fishing boats", k=3, filter=SEA))
    assert found == [TEXTS[1]]
    again.add_texts([TEXTS[0]], metadatas=[facts(0)], ids=[IDS[0]])
    assert len(again.similarity_search("a harbour with fishing boats", k=3, filter=SEA)) == 2


def test_a_collection_made_for_other_vectors_is_refused(house: House) -> None:
    client = QdrantClient(url=house.url)
    client.create_collection(
        "langchain-other", vectors_config=models.VectorParams(size=3, distance=models.Distance.DOT)
    )
    with pytest.raises(QdrantVectorStoreError):
        QdrantVectorStore(client, "langchain-other", embedding=Dense())
    client.close()
