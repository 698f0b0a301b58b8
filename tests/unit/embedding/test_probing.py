"""A model that changes behind its name is noticed, and its return too."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from palimpsest.app.embedding.declared import Local
from palimpsest.app.embedding.embedder import Embedder
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.probing import Probing
from palimpsest.app.embedding.quota import Quota
from palimpsest.app.embedding.replies import Embedded
from palimpsest.app.reloading import Reloading


class Letters:
    """A model of two letters, which may be taken for another or be gone."""

    def __init__(self) -> None:
        self.letters, self.is_gone = b"ae", False

    async def embed(self, texts: list[str]) -> Embedded:
        if self.is_gone:
            raise EmbeddingFailed("unreachable", "gone")
        counted = [
            b"[%d, %d, 1]" % tuple(each.encode().count(b) for b in self.letters) for each in texts
        ]
        return Embedded(counted, 0)

    async def close(self) -> None: ...


def test_suspended_while_another_model_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "palimpsest")
    model = Letters()
    embedder = Embedder(Local(folder=tmp_path, size=3), model, Quota(0, 0, 0))
    reloading = Reloading()

    def probing() -> Probing:
        return Probing({"größe": embedder}, tmp_path, lambda: True, reloading)

    async def story() -> None:
        model.is_gone = True
        assert not await probing().look()
        assert embedder.suspended is None  # it may be the same
        with pytest.raises(EmbeddingFailed, match="probe texts"):
            await probing().read_again()
        model.is_gone = False
        assert await probing().look() and embedder.suspended is None
        assert embedder.cosine == 1.0
        model.letters = b"zq"
        again = probing()  # as after a restart
        assert await again.look() and embedder.suspended is not None
        assert "the model behind the name has changed" in embedder.suspended
        model.is_gone = True
        assert not await again.look() and embedder.suspended is not None
        model.is_gone, model.letters = False, b"ae"
        await again.read_again()
        assert embedder.suspended is None

    asyncio.run(story())
    said = [record.levelname for record in caplog.records]
    assert said == ["WARNING", "WARNING", "ERROR", "WARNING", "INFO"]


def test_no_vectors_before_the_first_look(tmp_path: Path) -> None:
    model = Letters()

    def started() -> tuple[Probing, Embedder]:
        embedder = Embedder(Local(folder=tmp_path, size=3), model, Quota(0, 0, 0))
        return Probing({"a": embedder}, tmp_path, lambda: True, Reloading()), embedder

    async def story() -> None:
        _, first = started()
        assert (await first.embed(["a"], "passage")).vectors == [b"[1, 0, 1]"]
        assert first.cosine == 1.0
        model.letters = b"zq"
        _, changed = started()
        with pytest.raises(EmbeddingFailed, match="has changed"):
            await changed.embed(["a"], "passage")
        model.is_gone = True
        _, gone = started()
        with pytest.raises(EmbeddingFailed, match="gone"):
            await gone.embed(["a"], "query")
        model.is_gone, model.letters = False, b"ae"
        assert (await gone.embed(["a"], "query")).vectors == [b"[1, 0, 1]"]

    asyncio.run(story())


def test_it_waits_for_the_data_directory(tmp_path: Path) -> None:
    is_open = [False]
    embedder = Embedder(Local(folder=tmp_path, size=3), Letters(), Quota(0, 0, 0))

    async def story() -> None:
        probing = Probing({"a": embedder}, tmp_path, lambda: is_open[0], Reloading())
        watching = asyncio.create_task(probing.watch())
        await asyncio.sleep(0.05)
        assert list(tmp_path.iterdir()) == []
        is_open[0] = True
        while embedder.cosine is None:
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(asyncio.wait_for(story(), 10))
    assert {each.name for each in tmp_path.iterdir()} == {"embedders.json", "embedders.copy.json"}


def test_no_embedders_no_watch(tmp_path: Path) -> None:
    asyncio.run(Probing({}, tmp_path, lambda: False, Reloading()).watch())
