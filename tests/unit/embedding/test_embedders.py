"""One request's texts, by model: all are checked before any model is asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from palimpsest.app.embedding.embedders import Embedders
from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.inference import Document
from palimpsest.app.settings import Misconfigured, Settings
from palimpsest.app.warnings import Warnings
from tests.unit.embedding.tiny import SIZE, write


def embedders(tmp_path: Path) -> Embedders:
    file = tmp_path / "embedders.toml"
    folder = write(tmp_path / "tiny")
    file.write_text(f"[embedders.tiny]\nfolder = '{folder}'\nsize = {SIZE}\n", "utf-8")
    return Embedders(Settings(embedders=file))


def test_models_are_asked_together(tmp_path: Path) -> None:
    async def story() -> None:
        all_of_them, warnings = embedders(tmp_path), Warnings()
        documents = [
            Document("river stone", "tiny"),
            Document("river rivers", "QDRANT/bm25", {"k": 0.0}),
            Document("snow", "tiny"),
        ]
        dense, sparse, other = await all_of_them.embed(documents, "passage", warnings)
        assert len(json.loads(dense)) == len(json.loads(other)) == SIZE
        assert json.loads(sparse)["values"] == [1.0]  # with k 0 frequencies count for nothing
        assert warnings.used == {"tiny": 3, "qdrant/bm25": 2}
        assert all_of_them.texts.values == {("tiny",): 2, ("qdrant/bm25",): 1}
        assert all_of_them.tokens.values == {("tiny",): 3, ("qdrant/bm25",): 2}
        await all_of_them.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (Document("a", "Tiny"), "no embedder 'Tiny': this server has 'qdrant/bm25', 'tiny'"),
        (Document("a", "x" * 999), "no embedder '" + "x" * 255 + "':"),
        (Document(" ", "tiny"), "`text` is empty"),
        (Document("a", "tiny", {"key": "k"}), "`options` `key`"),
    ],
)
def test_texts_that_are_refused(tmp_path: Path, document: Document, told: str) -> None:
    async def story() -> None:
        all_of_them, warnings = embedders(tmp_path), Warnings()
        with pytest.raises(Refusal) as raised:
            await all_of_them.embed([Document("river", "tiny"), document], "query", warnings)
        assert raised.value.status == 400 and told in raised.value.text
        assert not warnings
        assert all_of_them.texts.values[("tiny",)] == 0
        await all_of_them.close()

    asyncio.run(story())


def test_a_model_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    file.write_text(f"[embedders.a]\nfolder = '{tmp_path}/none'\nsize = 3\n")
    with pytest.raises(Misconfigured, match="embedder 'a'"):
        Embedders(Settings(embedders=file))


def test_without_a_file_there_is_bm25_alone() -> None:
    found = Embedders(Settings())
    assert found.by_name == {}
    assert list(found.texts.values) == [("qdrant/bm25",)]
