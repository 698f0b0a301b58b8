"""Declarations as configurations of the engine: encodings, our own settings, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.collections import CollectionBody
from palimpsest.app.schemas.declarations import to_config
from palimpsest.index import (
    Distance,
    VectorConfig,
)


def config_of(**body: Any) -> VectorConfig:
    whole = {"vectors": {"size": 8, "distance": "Cosine"}, **body}
    return to_config(CollectionBody.model_validate(whole)).vectors[""]


@pytest.mark.parametrize(
    ("asked", "encoding"),
    [
        ({"scalar": {"type": "int8"}}, "8"),
        ({"product": {"compression": "x16"}}, "2"),
        ({"product": {"compression": "x64"}}, "1"),
        ({"binary": {}}, "1"),
        ({"binary": {"encoding": "two_bits"}}, "2"),
        ({"turbo": {}}, "4"),
        ({"turbo": {"bits": "bits2"}}, "2"),
        (None, "4"),
    ],
)
def test_quantization_maps_to_an_encoding(asked: Any, encoding: str) -> None:
    assert config_of(quantization_config=asked).encoding == encoding
    vector = {"size": 8, "distance": "Dot", "quantization_config": asked}
    assert config_of(vectors=vector).encoding == encoding


def test_our_own_metadata_overrides() -> None:
    config = to_config(
        CollectionBody.model_validate(
            {
                "vectors": {"a": {"size": 8, "distance": "Dot", "datatype": "float16"}},
                "hnsw_config": {"m": 32, "ef_construct": 100_000},
                "optimizers_config": {"indexing_threshold": 0, "deleted_threshold": 0.5},
                "metadata": {"palimpsest": {"encoding": "1", "seal_rows": 100}},
            }
        )
    )
    assert config.vectors["a"] == VectorConfig(
        8,
        Distance.DOT,
        encoding="1",
        originals="float16",
        M=32,
        ef_construction=2_000,
        datatype="float16",
        fixed_encoding=True,
    )
    assert config.maintenance.seal_rows == 100
    assert config.maintenance.quiet_rows == 10_000_000
    assert config.maintenance.dead_ratio == 0.5


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"encoding": "3"}, "metadata.palimpsest.encoding"),
        ({"seal_rows": 1}, "seal_rows: expected 64 to"),
        ({"sealrows": 1}, "metadata.palimpsest.sealrows"),
    ],
)
def test_wrong_metadata_is_refused(metadata: Any, text: str) -> None:
    with pytest.raises(Refusal, match=text) as caught:
        config_of(metadata={"palimpsest": metadata})
    assert caught.value.status == 422
