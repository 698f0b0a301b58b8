"""One request's texts, by model: all are checked before any model is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from palimpsest.app.embedding import embedders as module
from palimpsest.app.embedding.embedder import Purpose
from palimpsest.app.embedding.embedders import Embedders
from palimpsest.app.embedding.replies import Embedded
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


async def embed(
    by: Embedders, documents: list[Document], purpose: Purpose, warnings: Warnings
) -> list[bytes]:
    async def beside(work: Callable[[], Embedded]) -> Embedded:
        return work()

    prepared = await by.prepare(documents, purpose, beside)
    return await by.embed(documents, prepared, purpose, warnings)


def test_models_are_asked_together(tmp_path: Path) -> None:
    async def story() -> None:
        all_of_them, warnings = embedders(tmp_path), Warnings()
        documents = [
            Document("river stone", "tiny"),
            Document("river rivers", "QDRANT/bm25", {"k": 0.0}),
            Document("snow", "tiny"),
        ]
        dense, sparse, other = await embed(all_of_them, documents, "passage", warnings)
        assert len(json.loads(dense)) == len(json.loads(other)) == SIZE
        assert json.loads(sparse)["values"] == [1.0]  # with k 0 frequencies count for nothing
        assert warnings.used == {"tiny": 3, "qdrant/bm25": 2}
        assert all_of_them.texts.values == {("tiny",): 2, ("qdrant/bm25",): 1}
        assert all_of_them.tokens.values == {("tiny",): 3, ("qdrant/bm25",): 2}
        await all_of_them.close()

    asyncio.run(story())


def test_long_options_are_kept_for_one_request_alone() -> None:
    async def story() -> None:
        by, warnings = Embedders(Settings()), Warnings()
        module._kept.cache_clear()
        words = {"stopwords": {"custom": [f"w{i}" for i in range(500)]}}
        documents = [Document("w1 w501", "qdrant/bm25", words), Document("w1", "qdrant/bm25")]
        long, short = await embed(by, documents, "query", warnings)
        assert [len(json.loads(each)["indices"]) for each in (long, short)] == [1, 1]
        assert module._kept.cache_info().currsize == 1

    asyncio.run(story())


def test_stand_ins_have_the_size_of_what_they_stand_for(tmp_path: Path) -> None:
    async def story() -> None:
        by = embedders(tmp_path)
        documents = [Document("snow", "qdrant/bm25"), Document("snow", "tiny")]

        async def beside(work: Callable[[], Embedded]) -> Embedded:
            return work()

        prepared = await by.prepare(documents, "passage", beside)
        assert prepared.places == {"tiny": [1]}
        assert json.loads(prepared.vectors[1]) == [1] * SIZE
        assert len(json.loads(prepared.vectors[0])["indices"]) == 1
        await by.close()

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
            await embed(all_of_them, [Document("river", "tiny"), document], "query", warnings)
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
