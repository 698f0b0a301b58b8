"""The choice of a kernel level by PALIMPSEST_SIMD, and that answers do not depend on it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from palimpsest.index import _native_test

# Prints the level chosen and a digest of rows, errors, decoded rows, estimates, MaxSim, nearest
# centroids and gains by lists.
CODES = """
import hashlib
import numpy as np
from palimpsest.index import _native
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.encoding.tokens import ExactMaxSim, MaxSim, TokenEncoder
from palimpsest.index.types import Distance
digest = hashlib.sha256()
rng = np.random.default_rng(5)
for size in (1, 33, 96, 128, 256, 384, 512, 768, 1024, 1100, 1536):
    vectors = rng.standard_normal((37, size)).astype(np.float32)
    for bits in (1, 2, 4, 8):
        for distance in (Distance.DOT, Distance.EUCLID):
            encoder = Encoder.fit(vectors, distance, bits, 3)
            rows, errors = encoder.encode_with_errors(vectors)
            made = rows, errors, encoder.decode(rows), encoder.estimate(vectors[1], rows)
            for array in made:
                digest.update(array.tobytes())
    starts, every = np.array([0, 1, 1, 20, 37]), np.arange(4, dtype=np.uint32)
    for bits in (2, 4, 8):
        tokens = TokenEncoder(size, bits)
        rows, errors = tokens.encode_with_errors(vectors)
        scores = MaxSim(tokens).scores(vectors[:20], rows, starts, every)
        for array in (rows, errors, tokens.decode(rows), scores):
            digest.update(array.tobytes())
    for distance in Distance:
        for values in (vectors, vectors.astype(np.float16)):
            scores = ExactMaxSim(distance).scores(vectors[:20], values, starts, every)
            digest.update(scores.tobytes())
    labels = np.empty(37, np.uint32)
    _native.Centroids(vectors[:30], vectors[:5]).nearest(vectors, labels)
    rows8 = TokenEncoder(size, 8).encode(vectors)
    lists = _native.TokenLists(rows8, np.arange(38), np.arange(37, dtype=np.uint32) % 9, 9)
    for count in (1, 16, 20, 32, 37):
        gains = np.empty(9, np.float32)
        query = _native.CodedQuery(TokenEncoder(size, 8).native, vectors[:count])
        lists.gains(query, 5, gains)
        digest.update(gains.tobytes())
    digest.update(labels.tobytes())
print(_native.simd_level(), digest.hexdigest())
"""


def run(level: str | None, program: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PALIMPSEST_SIMD"}
    if level is not None:
        environment["PALIMPSEST_SIMD"] = level
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )


def test_all_levels_make_the_same_codes_and_estimates() -> None:
    levels = _native_test.levels()
    answers = [run(level, CODES) for level in levels]
    assert [answer.stderr for answer in answers] == [""] * len(levels)
    assert [answer.stdout.split()[0] for answer in answers] == levels
    assert len({answer.stdout.split()[1] for answer in answers}) == 1


@pytest.mark.parametrize("level", [None, ""])
def test_the_best_level_is_the_default(level: str | None) -> None:
    answer = run(level, "from palimpsest.index import _native; print(_native.simd_level())")
    best = [name for name in ("avx512", "avx2", "neon", "scalar") if name in _native_test.levels()]
    assert answer.stdout.strip() == best[0]


def test_a_wrong_level_fails_the_import_and_says_why() -> None:
    answer = run("sse9", "import palimpsest.index._native")
    assert answer.returncode != 0
    last = answer.stderr.strip().splitlines()[-1]
    assert "PALIMPSEST_SIMD=sse9 is not a level of this build on this CPU" in last
    assert "scalar, avx2, avx512, neon" in last
