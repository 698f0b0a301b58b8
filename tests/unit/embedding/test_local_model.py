"""Models of this process run beside the event loop, and say what is wrong with them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.embedding.declared import Local
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.local_model import LocalModel
from palimpsest.app.settings import Misconfigured
from tests.unit.embedding.tiny import ROWS, SIZE, WORDS, write


def test_vectors_of_a_folder(tmp_path: Path) -> None:
    model = LocalModel("tiny", Local(folder=write(tmp_path), size=SIZE, pooling="cls"))

    async def story() -> None:
        made = await model.embed(["größe river"])
        row = ROWS[WORDS.index("größe")]
        found = json.loads(made.vectors[0])
        assert found == pytest.approx((row / (row**2).sum() ** 0.5).tolist(), abs=1e-6)
        assert made.tokens == 2
        with pytest.raises(EmbeddingFailed, match="the model failed") as raised:
            await model.embed([3])  # type: ignore[list-item]
        assert raised.value.reason == "model"
        await model.close()

    asyncio.run(story())


def test_a_model_that_overflows(tmp_path: Path) -> None:
    rows = np.where(np.arange(len(WORDS)) == WORDS.index("snow"), np.nan, 1.0)
    folder = write(tmp_path, np.repeat(rows[:, None], SIZE, 1).astype(np.float32))
    model = LocalModel("tiny", Local(folder=folder, size=SIZE))

    async def story() -> None:
        assert (await model.embed(["river"])).tokens == 1
        with pytest.raises(EmbeddingFailed, match="NaN"):
            await model.embed(["river", "snow"])
        await model.close()

    asyncio.run(story())


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="PALIMPSEST_EMBEDDERS: embedder 'none'.*model.onnx"):
        LocalModel("none", Local(folder=tmp_path, size=SIZE))
