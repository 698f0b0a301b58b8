"""What is declared of sets of vectors, and what is refused."""

from __future__ import annotations

import json

import pytest

from palimpsest.index import CollectionConfig, Distance, FdeConfig, MultiConfig
from palimpsest.index.errors import InvalidConfig


def test_a_config_is_read_as_it_was_stored() -> None:
    fde = FdeConfig(k_sim=3, projected=8, repetitions=4, final=64, seed=9)
    one = MultiConfig(128, Distance.COSINE, "float16", "none", 2, 3, fde, "4", 8, 50, 17)
    declared = CollectionConfig({"tokens": one, "": MultiConfig(4, Distance.EUCLID)})
    stored = json.loads(json.dumps(declared.to_json()))
    assert CollectionConfig.from_json(stored).vectors == declared.vectors


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"token_bits": 3}, "token_bits: expected 8, 4 or 2, got 3"),
        ({"pool": 0}, "pool: expected 1 to 64, got 0"),
        ({"max_vectors": 0}, "max_vectors: expected 1 to 65536, got 0"),
        ({"originals": "int8"}, "originals: expected one of float32, float16, none, got 'int8'"),
        ({"distance": Distance.EUCLID, "originals": "none"}, "originals: expected a kept copy"),
        ({"distance": Distance.MANHATTAN, "originals": "none"}, "originals: expected a kept copy"),
        ({"size": 0}, "size: expected 1 to 65536, got 0"),
        ({"M": 1}, "M: expected 4 to 64, or 0 for no graph, got 1"),
        ({"encoding": "3"}, "encoding: expected one of"),
        ({"encoding": "float32"}, "encoding: expected 8, 4, 2 or 1, got 'float32'"),
        ({"datatype": "int4"}, "datatype: expected one of"),
    ],
)
def test_what_is_wrong_is_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(InvalidConfig, match=text):
        MultiConfig(**{"size": 8, "distance": Distance.DOT, **settings})  # type: ignore[arg-type]
