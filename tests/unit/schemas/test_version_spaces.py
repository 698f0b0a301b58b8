"""What a declared version means: of a kind of its own, and as the active one for the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.collections import CollectionBody
from palimpsest.app.schemas.declarations import to_config
from palimpsest.app.schemas.version_spaces import VersionBody, to_version
from palimpsest.index import (
    CollectionConfig,
    Distance,
    MultiConfig,
    SparseConfig,
    VectorConfig,
    VersionConfig,
    VersionConflict,
)
from palimpsest.index.config.versions import activated
from palimpsest.index.config.versions import declared as declared_in

MAX_SIM = {"comparator": "max_sim"}
SINGLE = {"vectors": {"size": 4, "distance": "Dot"}}
SETS = {
    "vectors": {"size": 4, "distance": "Dot", "multivector_config": MAX_SIM},
    "metadata": {"palimpsest": {"vectors": {"": {"pool": 2, "tokens": {"bits": 8}}}}},
}


def config(body: dict[str, Any]) -> CollectionConfig:
    return to_config(CollectionBody.model_validate(body))


def space(of: CollectionConfig, version: str = "v2", **body: Any) -> VectorConfig | MultiConfig:
    return to_version(VersionBody.model_validate({"size": 6, **body}), of, version).space


def with_version(of: CollectionConfig, **body: Any) -> CollectionConfig:
    """Declare a version v2 as the server does."""
    made = to_version(VersionBody.model_validate({"size": 6, **body}), of, "v2")
    new = VersionConfig("", "v2", "shadow", None, made.described)
    found = declared_in(of, new, made.space)
    assert found is not None
    return found


def test_a_name_of_single_vectors_gets_a_version_of_sets() -> None:
    made = space(config(SINGLE), multivector_config=MAX_SIM, pool=3, fde={"preset": "light"})
    assert isinstance(made, MultiConfig) and (made.size, made.distance) == (6, "dot")
    assert made.pool == 3 and made.fde.repetitions == 10 and made.token_bits == 4
    assert isinstance(space(config(SINGLE)), VectorConfig)


def test_what_is_left_out_is_as_in_the_active_version_of_the_kind() -> None:
    held = config(SETS)
    made = space(held)
    assert isinstance(made, MultiConfig) and (made.pool, made.token_bits) == (2, 8)
    other = space(held, fde={"k_sim": 1})
    assert isinstance(other, MultiConfig) and other.fde == replace(made.fde, k_sim=1)
    single = space(held, multivector_config=None)
    assert (
        isinstance(single, VectorConfig)
        and single.encoding == VectorConfig(6, Distance.DOT).encoding
    )
    coded = space(held, quantization_config={"scalar": {"type": "int8"}}, encoding=None)
    assert isinstance(coded, MultiConfig) and coded.token_bits == 8


def test_a_version_is_declared_again_by_less() -> None:
    of = with_version(config(SINGLE), multivector_config=MAX_SIM, pool=3)
    assert space(of) == space(of, pool=3)
    for body in ({"pool": 2}, {"fde": {"preset": "light"}}, {"tokens": {"bits": 2}}):
        with pytest.raises(VersionConflict, match="v2.*is declared already"):
            space(of, **body)
    active = activated(of, next(one for one in of.versions if one.version == "v2"))
    third = space(active, "v3")
    assert isinstance(third, MultiConfig) and third.pool == 3
    back = space(active, "v1", multivector_config=None)
    assert isinstance(back, VectorConfig)


@pytest.mark.parametrize("setting", [{"pool": 2}, {"fde": {}}, {"originals": "none"}])
def test_settings_of_sets_are_refused_of_single_vectors(setting: dict[str, Any]) -> None:
    (name,) = setting
    with pytest.raises(Refusal, match=f"`{name}` is about multi-vectors"):
        space(config(SINGLE), **setting)


def test_sparse_vectors_have_no_versions() -> None:
    of = config({**SINGLE, "sparse_vectors": {"words": {}}})
    assert isinstance(of.vectors["words"], SparseConfig)
    with pytest.raises(Refusal, match="'words' is declared sparse: versions are of dense vectors"):
        space(of, vector="words")
    with pytest.raises(Refusal, match="out of range|value|expected"):
        space(config(SINGLE), multivector_config=MAX_SIM, pool=1_000)
