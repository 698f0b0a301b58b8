"""Which version leads a query given in several, and what of it does not fit together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from palimpsest.index.config.collection import CollectionConfig, VersionConfig
from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import (
    DimensionMismatch,
    InvalidInput,
    InvalidVector,
    UnknownVectorName,
    VersionNotFound,
)
from palimpsest.index.search.leading_version import by_column, leading_version
from palimpsest.index.types import Distance, VersionedQuery

NAME = "текст"
CONFIG = replace(
    CollectionConfig({NAME: VectorConfig(2, Distance.DOT), "sp": SparseConfig()})
    .with_column(f"{NAME}@v2", VectorConfig(3, Distance.COSINE))
    .with_column(f"{NAME}@v3", VectorConfig(3, Distance.DOT)),
    versions=(
        VersionConfig(NAME, "v1", "active"),
        VersionConfig(NAME, "v2", "shadow"),
        VersionConfig(NAME, "v3", "shadow"),
    ),
)
V1, V2 = np.array([3, 4], np.float32), np.array([3, 4, 0], np.float32)


def leads(name: str = NAME, config: CollectionConfig = CONFIG, **query: Any) -> str:
    given = {"vectors": {"v1": V1, "v2": V2}, **query}
    return leading_version(config, name, VersionedQuery(**given)).version


def test_the_last_declared_leads_unless_one_is_named() -> None:
    assert leads() == "v2"
    assert leads(f"{NAME}@v1") == "v1" and leads(f"{NAME}@v3") == "v2"
    assert leads(vectors={"v2": V2, "v1": V1}) == "v2", "as declared, not as given"
    assert leads(rescore_version="v1") == "v1"
    assert leads(config=replace(CONFIG, shown="v1")) == "v1"


@pytest.mark.parametrize(
    ("name", "query", "error"),
    [
        (NAME, {"vectors": {}}, InvalidInput),
        ("нет", {}, UnknownVectorName),
        ("sp", {}, UnknownVectorName),
        (NAME, {"vectors": {"v9": V1}}, VersionNotFound),
        (NAME, {"rescore_version": "v3"}, InvalidInput),
        (NAME, {"supplied": {2**53 + 1: V1}}, InvalidInput),
    ],
)
def test_what_does_not_fit_together_is_refused(
    name: str, query: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        leads(name, **query)


def test_vectors_are_checked_by_their_columns_and_named_in_refusals() -> None:
    found = by_column(CONFIG, NAME, VersionedQuery({"v2": V2, "v1": V1}))
    assert list(found) == [CONFIG.number(f"{NAME}@v2"), CONFIG.number(NAME)]
    assert found[CONFIG.number(f"{NAME}@v2")].tolist() == pytest.approx([0.6, 0.8, 0])
    with pytest.raises(DimensionMismatch, match="query.versions.v1; of the versions"):
        by_column(CONFIG, NAME, VersionedQuery({"v1": V2}))
    with pytest.raises(InvalidVector, match="query.versions.v2: "):
        by_column(CONFIG, NAME, VersionedQuery({"v2": np.full(3, np.inf, np.float32)}))
