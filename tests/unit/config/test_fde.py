"""Parameters of fixed dimensional encodings: limits, arithmetic, presets."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.index.config.fde import PRESETS, FdeConfig
from palimpsest.index.errors import InvalidConfig


@pytest.mark.parametrize(
    ("k_sim", "projected", "repetitions", "final", "size", "dimensions"),
    [
        (3, 8, 20, 0, 128, 1_280),
        (4, 8, 20, 0, 128, 2_560),
        (5, 32, 20, 0, 128, 20_480),
        (6, 128, 40, 10_240, 128, 10_240),
        (4, 16, 10, 0, 8, 1_280),  # tokens of fewer dimensions are kept as they are
        (0, 128, 1, 0, 128, 128),  # the mean of the tokens
    ],
)
def test_dimensions(
    k_sim: int, projected: int, repetitions: int, final: int, size: int, dimensions: int
) -> None:
    assert FdeConfig(k_sim, projected, repetitions, final).dimensions(size) == dimensions


def test_presets() -> None:
    assert PRESETS["quality"].dimensions(128) == 10_240
    assert PRESETS["light"].dimensions(128) < PRESETS["quality"].dimensions(128)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"k_sim": -1}, r"fde.k_sim: expected 0 to 8, got -1"),
        ({"k_sim": 9}, r"fde.k_sim: expected 0 to 8, got 9"),
        ({"k_sim": True}, "got True"),
        ({"projected": 0}, r"fde.projected: expected 1 to 65536, got 0"),
        ({"projected": 1.5}, r"got 1.5"),
        ({"repetitions": 0}, r"fde.repetitions: expected 1 to 256, got 0"),
        ({"repetitions": 257}, "got 257"),
        ({"final": -1}, "fde.final: expected 0 to 65536, got -1"),
        ({"seed": -1}, "fde.seed: expected 0 to"),
        ({"seed": 2**63}, "fde.seed: expected 0 to"),
    ],
)
def test_what_is_out_of_range_is_named(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidConfig, match=says):
        FdeConfig(**{"k_sim": 5, "projected": 16, "repetitions": 20, **changed})


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (FdeConfig(8, 128, 256), "expected at most 1048576 dimensions .* got 8388608; choose"),
        (FdeConfig(6, 128, 40), "expected at most 65536 dimensions .* got 327680; .* a final"),
        (FdeConfig(4, 16, 10, final=2_560), "final below the 2560 dimensions .*, got 2560"),
    ],
)
def test_too_many_dimensions_are_refused_with_what_helps(config: FdeConfig, says: str) -> None:
    with pytest.raises(InvalidConfig, match=says):
        config.dimensions(128)


def test_it_comes_back_from_what_is_stored() -> None:
    config = FdeConfig(6, 32, 40, final=4_096, seed=2**63 - 1)
    assert FdeConfig.from_json(config.to_json()) == config
