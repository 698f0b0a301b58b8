"""The demo's embedders."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from palimpsest.app.demo.embedders import HashedGrams, LatentSemantics
from palimpsest.app.demo.errors import DemoError


def test_hashed_grams_equal_a_plain_count() -> None:
    row = HashedGrams(1 << 20).embed(["Ab, abc!"])[0]
    # of " ab abc ": " a", "ab" and " ab" twice; once 3 others of 2 letters, 4 of 3, 5 of 4
    assert np.sort(row[row > 0] ** 2 * 24) == pytest.approx([1.0] * 12 + [4.0] * 3, rel=1e-5)


def test_hashed_grams_are_the_same_in_another_run() -> None:
    code = """if True:
        from palimpsest.app.demo.embedders import HashedGrams

        print(HashedGrams().embed(["json"]).sum())"""
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert other.strip() == str(HashedGrams().embed(["json"]).sum())


TEXTS = [
    "Open a file for reading and return it.",
    "Close the file that was opened for reading.",
    "Parse a date and a time into an object.",
    "Format a date or a time as a text.",
    "Send bytes over a socket.",
    "Receive bytes from a socket.",
]


def test_latent_semantics_find_words_that_occur_together() -> None:
    model = LatentSemantics(TEXTS, size=3)
    scores = model.embed(["date"]) @ model.embed(TEXTS).T
    assert set(np.argsort(-scores[0])[:2]) == {2, 3}


def test_both_embedders_return_unit_vectors_for_any_text() -> None:
    for model in (HashedGrams(16), LatentSemantics(TEXTS, size=3)):
        vectors = model.embed([*TEXTS, "", "unheard"])
        assert vectors.shape == (len(TEXTS) + 2, model.size)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_missing_scikit_learn_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(DemoError, match=r"pip install 'palimpsest\[demo\]'"):
        LatentSemantics(TEXTS)


def test_too_little_text_to_learn_from_is_an_error() -> None:
    with pytest.raises(DemoError, match="too few"):
        LatentSemantics(["file socket", "file socket"])
