"""A model that runs in this process, beside the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from palimpsest.app.embedding.declared import VARIABLE, Local
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.replies import Embedded
from palimpsest.app.settings import Misconfigured
from palimpsest.index import InvalidConfig, OnnxModel, format_vector


class LocalModel:
    """One model and the thread that it runs in; it is loaded at the start."""

    def __init__(self, name: str, local: Local) -> None:
        """Load it. Raises Misconfigured."""
        try:
            self._model = OnnxModel(
                local.folder,
                local.size,
                pooling=local.pooling,
                max_tokens=local.max_tokens,
                threads=local.threads,
            )
        except InvalidConfig as error:
            raise Misconfigured(f"{VARIABLE}: embedder {name!r}: {error}") from None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedding")

    async def close(self) -> None:
        """End its thread, after the batch that it is at."""
        self._thread.shutdown(cancel_futures=True)

    async def embed(self, texts: list[str]) -> Embedded:
        """Return the vectors of texts, which have their prefixes. Raises EmbeddingFailed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, texts)

    def _run(self, texts: list[str]) -> Embedded:
        try:
            vectors, tokens = self._model.embed(texts)
        except Exception as error:  # of the runtime, which has many
            raise EmbeddingFailed("model", f"the model failed: {error!s:.200}") from None
        if not np.isfinite(vectors).all():
            raise EmbeddingFailed("model", "a vector holds NaN, or what is beyond float32")
        return Embedded([format_vector(each) for each in vectors], tokens)
