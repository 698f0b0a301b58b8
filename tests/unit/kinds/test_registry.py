"""The kinds of vector there are: found by what is declared, and by the name that files carry."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import CollectionConfig, SearchRequest
from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import InvalidVector, UnknownVectorName
from palimpsest.index.kinds.kind import Asked
from palimpsest.index.kinds.registry import empty, kind_named, kind_of, search
from palimpsest.index.types import Distance, SparseVector
from tests.conftest import OpenCollection

DENSE, SPARSE = VectorConfig(2, Distance.DOT), SparseConfig()


def test_a_kind_is_found_by_its_config_and_by_its_name() -> None:
    for config in (DENSE, SPARSE):
        kind = kind_of(config)
        assert kind_named(config.kind) is kind and kind.name == config.kind
    assert kind_of(DENSE) is not kind_of(SPARSE)
    assert kind_named("плотный") is None


def test_a_column_without_rows_is_empty_in_every_kind() -> None:
    for config in (DENSE, SPARSE):
        found = empty(config)
        assert (found.live, len(found.sealed), len(found.growing)) == (0, 0, 1)
        assert not found.held and found.config is config


def test_a_search_goes_to_the_kind_of_the_name(collection_of: OpenCollection) -> None:
    view = collection_of(CollectionConfig({"плотный": DENSE, "sp": SPARSE})).view
    sparse = SparseVector(np.array([1], np.uint32), np.array([1], np.float32))
    dense = np.ones(2, dtype=np.float32)
    for query, name in ((dense, "плотный"), (sparse, "sp")):
        assert len(search(view, Asked(SearchRequest(query, name), None)).merged.ids) == 0
    with pytest.raises(InvalidVector, match="sparse"):
        search(view, Asked(SearchRequest(dense, "sp"), None))
    with pytest.raises(UnknownVectorName, match="нет"):
        search(view, Asked(SearchRequest(dense, "нет"), None))
