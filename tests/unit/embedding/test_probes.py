"""What is kept of a model tells whether it is still the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import PROBE_TEXTS, SAME_MODEL, Probes, UnknownFormat

RNG = np.random.default_rng(3)
VECTORS = RNG.standard_normal((len(PROBE_TEXTS), 16)).astype(np.float32)


def test_vectors_are_kept_and_found_again(tmp_path: Path) -> None:
    assert Probes(tmp_path).compare("Größe/v1", VECTORS) == 1.0
    probes = Probes(tmp_path)
    assert probes.compare("Größe/v1", VECTORS * 3) == pytest.approx(1.0)
    assert probes.compare("other", -VECTORS) == 1.0
    assert Probes(tmp_path).compare("Größe/v1", -VECTORS) == pytest.approx(-1.0)
    assert Probes(tmp_path).compare("Größe/v1", VECTORS) == pytest.approx(1.0)  # kept, not replaced


def test_rounding_is_no_change_and_another_model_is(tmp_path: Path) -> None:
    probes = Probes(tmp_path)
    probes.compare("m", VECTORS)
    assert probes.compare("m", VECTORS.astype(np.float16).astype(np.float32)) >= SAME_MODEL
    assert probes.compare("m", RNG.standard_normal((8, 16)).astype(np.float32)) < SAME_MODEL
    assert probes.compare("m", VECTORS[:, :8]) == -1.0
    assert probes.compare("m", np.zeros_like(VECTORS)) == 0.0
    few = VECTORS.copy()
    few[:3] = -few[:3]  # three texts of eight may be odd, half of them not
    assert probes.compare("m", few) >= SAME_MODEL
    few[3] = -few[3]
    assert probes.compare("m", few) < SAME_MODEL


def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "embedders.json").write_text(
        '{"format": 99, "crc32": 0, "number": 1, "probes": {}}'
    )
    with pytest.raises(UnknownFormat):
        Probes(tmp_path)
