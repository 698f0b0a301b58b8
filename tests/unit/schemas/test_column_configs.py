"""What descriptions of vector names mean to the engine."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.collections import CollectionBody, EngineBody
from palimpsest.app.schemas.column_configs import config_of
from palimpsest.app.schemas.spaces import VectorBody
from palimpsest.index import FDE_PRESETS, FdeConfig, InvalidConfig, MultiConfig, VectorConfig

MAX_SIM = {"comparator": "max_sim"}


def config(
    engine: dict[str, Any] | None = None, name: str = "", **vector: Any
) -> VectorConfig | MultiConfig:
    described = VectorBody.model_validate({"size": 8, "distance": "Cosine", **vector})
    own = EngineBody.model_validate(engine or {})
    return config_of(name, described, CollectionBody(), own)


def multi(engine: dict[str, Any] | None = None, name: str = "", **vector: Any) -> MultiConfig:
    found = config(engine, name, multivector_config=MAX_SIM, **vector)
    assert isinstance(found, MultiConfig)
    return found


def test_a_set_is_kept_as_the_engine_has_it_by_default() -> None:
    found = multi()
    assert (found.size, found.distance.value) == (8, "cosine")
    assert found == MultiConfig(8, found.distance)
    assert isinstance(config(), VectorConfig)


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [
        ({"scalar": {"type": "int8"}}, 8),
        ({"product": {"compression": "x8"}}, 4),
        ({"product": {"compression": "x64"}}, 2),
        ({"binary": {}}, 2),
        ({"turbo": {"bits": "bits2"}}, 2),
    ],
)
def test_quantization_says_how_the_vectors_of_a_set_are_coded(
    quantization: dict[str, Any], bits: int
) -> None:
    found = multi(quantization_config=quantization)
    assert found.token_bits == bits
    assert found.encoding == "1"  # of what finds candidates, which nobody asked for


@pytest.mark.parametrize(
    ("datatype", "distance", "kept"),
    [
        ("float32", "Dot", ("float32", "float32")),
        ("float16", "Dot", ("float16", "float16")),
        ("uint8", "Dot", ("uint8", "float16")),
        ("uint8", "Cosine", ("uint8", "float32")),
        ("turbo16", "Cosine", ("float32", "float16")),
        ("turbo8", "Cosine", ("float32", "none")),
        ("turbo4", "Euclid", ("float32", "float16")),
    ],
)
def test_datatypes(datatype: str, distance: str, kept: tuple[str, str]) -> None:
    found = multi(datatype=datatype, distance=distance)
    assert (found.datatype, found.originals) == kept


def test_turbo_says_how_many_bits() -> None:
    assert multi(datatype="turbo8").token_bits == 8
    assert multi(datatype="turbo4").token_bits == 4


def test_graph_parameters_are_those_of_dense_vectors() -> None:
    assert multi(hnsw_config={"m": 0}).M == 0
    assert multi(hnsw_config={"m": 32, "ef_construct": 100}).M == 32
    assert multi(hnsw_config={"ef_construct": 5}).ef_construction == 16


def test_settings_of_all_names_and_of_one() -> None:
    own = {
        "pool": 2,
        "fde": {"preset": "light", "seed": 3},
        "vectors": {"a": {"pool": 3, "tokens": {"bits": 2}, "max_vectors": 9, "encoding": "2"}},
    }
    found = multi(own, "a")
    assert (found.pool, found.token_bits, found.max_vectors, found.encoding) == (3, 2, 9, "2")
    light = FDE_PRESETS["light"]
    assert found.fde == FdeConfig(light.k_sim, light.projected, light.repetitions, seed=3)
    assert multi(own, "b").pool == 2
    assert config({"vectors": {"a": {"originals": "int8"}}}, "a").originals == "int8"
    assert config({"vectors": {"a": {"originals": "int8"}}}, "b").originals == "float32"


def test_one_name_overrides_what_does_not_fit_it() -> None:
    own = {"originals": "int8", "vectors": {"a": {"originals": "none"}}}
    assert multi(own, "a").originals == "none"
    with pytest.raises(Refusal, match=r"metadata\.palimpsest\.originals: the multi-vectors 'b'"):
        multi(own, "b")


@pytest.mark.parametrize(
    ("engine", "vector", "told"),
    [
        ({"vectors": {"": {"order": "shuffle"}}}, {"multivector_config": MAX_SIM}, "order"),
        ({"vectors": {"": {"pool": 2}}}, {}, 'vectors."".pool: it is about multi-vectors'),
        ({"vectors": {"": {"fde": {}}}}, {}, 'vectors."".fde'),
        ({"vectors": {"": {"tokens": {}}}}, {}, 'vectors."".tokens'),
        ({"vectors": {"": {"max_vectors": 2}}}, {}, 'vectors."".max_vectors'),
        (
            {"vectors": {"": {"originals": "int8"}}},
            {"multivector_config": MAX_SIM},
            "vectors.\"\".originals: the multi-vectors '' are kept as float32, float16 or none",
        ),
    ],
)
def test_what_does_not_fit_the_kind_is_refused(
    engine: dict[str, Any], vector: dict[str, Any], told: str
) -> None:
    with pytest.raises(Refusal) as refused:
        config(engine, **vector)
    assert refused.value.status == 422
    assert told in refused.value.text


def test_the_engine_says_what_is_out_of_range() -> None:
    with pytest.raises(InvalidConfig, match="pool: expected 1 to"):
        multi({"pool": 0})
    with pytest.raises(InvalidConfig, match="fde"):
        multi({"fde": {"k_sim": 99}})
