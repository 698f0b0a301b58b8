"""Codes written by earlier versions mean today what they meant then, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index.encoding.planes import Encoder
from tests.formats.codes import DECODED, cases, golden_arrays, golden_vectors

FILES = sorted(Path(__file__).parent.glob("codes_*.npz"))


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def golden(request: pytest.FixtureRequest) -> dict[str, NDArray[Any]]:
    with np.load(request.param, allow_pickle=False) as arrays:
        return dict(arrays)


def stored_encoder(golden: Mapping[str, NDArray[Any]], name: str) -> Encoder:
    distance, bits, size = name.split("-")
    stored = {"distance": distance, "bits": int(bits), "error_scale": 0.0}
    return Encoder.from_json(stored, {k: golden[f"{size}/{k}"] for k in ("signs", "centroid")})


def test_stored_encoders_make_the_same_codes(golden: dict[str, NDArray[Any]]) -> None:
    for name, _, _, size in cases():
        encoder = stored_encoder(golden, name)
        rows, errors = encoder.encode_with_errors(golden_vectors(size))
        assert rows.tobytes() == golden[f"{name}/rows"].tobytes()
        assert errors.tobytes() == golden[f"{name}/errors"].tobytes()


def test_stored_codes_mean_the_same_vectors(golden: dict[str, NDArray[Any]]) -> None:
    for name, _, _, size in cases():
        encoder = stored_encoder(golden, name)
        rows = golden[f"{name}/rows"]
        assert encoder.decode(rows[:DECODED]).tobytes() == golden[f"{name}/decoded"].tobytes()
        estimates = [encoder.estimate(vector, rows) for vector in golden_vectors(size)]
        assert np.stack(estimates).tobytes() == golden[f"{name}/estimates"].tobytes()


def test_the_same_seed_makes_the_same_codes() -> None:
    with np.load(FILES[-1], allow_pickle=False) as newest:
        made = golden_arrays()
        assert set(newest.files) == set(made)
        for name in newest.files:
            assert newest[name].tobytes() == made[name].tobytes(), name
