"""A collection made by an unmodified Haystack script, taken through a change of its model.

Its vectors stand by name, beside sparse ones that have no versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from haystack import Document
from haystack.dataclasses import SparseEmbedding
from haystack.document_stores.types import DuplicatePolicy
from haystack_integrations.components.retrievers.qdrant import (
    QdrantEmbeddingRetriever,
    QdrantHybridRetriever,
)
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore

from tests.frameworks.conftest import House
from tests.frameworks.upgrades import (
    MIGRATED,
    NEW_SIZE,
    OLD_SIZE,
    QUERIES,
    TEXTS,
    Operator,
    new_dense,
    old_dense,
)
from tests.frameworks.words import sparse

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

NAME = "haystack-upgrade"
VECTOR = "text-dense"


class Script:
    """One and the same code, for a model of one size."""

    def __init__(self, size: int, **where: Any) -> None:
        self.embed = old_dense if size == OLD_SIZE else new_dense
        self.store = QdrantDocumentStore(
            embedding_dim=size,
            use_sparse_embeddings=True,
            progress_bar=False,
            return_embedding=True,
            **where,
        )

    def write(self, places: range | list[int]) -> None:
        documents = [
            Document(
                id=f"text-{n}",
                content=TEXTS[n],
                meta={"n": n},
                embedding=self.embed(TEXTS[n]),
                sparse_embedding=sparse_embedding(TEXTS[n]),
            )
            for n in places
        ]
        written = self.store.write_documents(documents, policy=DuplicatePolicy.OVERWRITE)
        assert written == len(documents)

    def found(self) -> list[list[str]]:
        """What the script answers: the ids of the texts closest to each query."""
        answers = []
        by_vector = QdrantEmbeddingRetriever(self.store, top_k=5)
        hybrid = QdrantHybridRetriever(self.store, top_k=5)
        for query in QUERIES:
            dense = self.embed(query)
            answers.append([one.id for one in by_vector.run(dense)["documents"]])
            both = hybrid.run(dense, sparse_embedding(query))["documents"]
            assert len(both) == 5
        return answers


def sparse_embedding(text: str) -> SparseEmbedding:
    indices, values = sparse(text)
    return SparseEmbedding(indices=indices, values=values)


def share(some: list[list[str]], others: list[list[str]]) -> float:
    """How much of some answers stands in others."""
    common = sum(len(set(a) & set(b)) for a, b in zip(some, others, strict=True))
    return common / sum(map(len, some))


@pytest.fixture
def operator(house: House) -> Iterator[Operator]:
    running = Operator(house.url, NAME, VECTOR)
    yield running
    running.close()


def test_a_whole_upgrade(house: House, operator: Operator) -> None:
    old = Script(OLD_SIZE, url=house.url, index=NAME)
    reference = Script(NEW_SIZE, location=":memory:")
    for one in (old, reference):
        one.write(range(len(TEXTS)))
    at_first, at_last = old.found(), reference.found()

    operator.declare()
    new = Script(NEW_SIZE, url=house.url, index=f"{NAME}@v2")
    new.write(range(MIGRATED))
    assert old.store.count_documents() == len(TEXTS)
    assert old.found() == at_first

    operator.fit()
    assert old.found() == at_first
    assert share(at_last, new.found()) > 0.6
    assert operator.compare()
    while points := operator.backfill(90):
        new.write([one["payload"]["meta"]["n"] for one in points])
        assert old.found() == at_first
        assert share(at_last, new.found()) > 0.6
    assert operator.status()["remaining"] == 0
    assert new.found() == at_last

    operator.activate("v2")
    active = Script(NEW_SIZE, url=house.url, index=NAME)
    assert active.found() == at_last
    assert Script(OLD_SIZE, url=house.url, index=f"{NAME}@v1").found() == at_first
    with pytest.raises(ValueError, match="size"):
        Script(OLD_SIZE, url=house.url, index=NAME).store.count_documents()
    operator.activate("v1")
    assert old.found() == at_first
    operator.activate("v2")
    operator.drop("v1")
    assert operator.states() == {"v2": "active"}
    assert active.found() == at_last
    assert active.store.count_documents() == len(TEXTS)
    active.store.delete_documents(["text-0"])
    assert active.store.count_documents() == len(TEXTS) - 1
    for one in (old, new, active, reference):
        one.store.close()
