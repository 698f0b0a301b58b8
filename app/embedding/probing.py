"""Whether the model behind each name is still the one that it was: at the start, hourly, on SIGHUP.

A model that changes without a word makes vectors that do not compare with those stored, and nothing
else would tell: its embedder makes none from then on, until the old model is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from palimpsest.app.embedding.embedder import Embedder
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.reloading import Reloading
from palimpsest.index import PROBE_TEXTS, SAME_MODEL, Probes, StorageError, parse_vectors

log = logging.getLogger("palimpsest")

PART = "embedders"  # in reloads
HOUR = 3_600.0  # seconds between two looks
MINUTE = 60.0  # where a model did not answer
_OPENING = 0.1  # seconds between looks whether the data directory is open


class Probing:
    """Looks at the embedders of one server; used in the event loop's thread."""

    def __init__(
        self,
        embedders: Mapping[str, Embedder],
        data: Path,
        is_open: Callable[[], bool],
        reloading: Reloading,
    ) -> None:
        """Take what is looked at, and where what is kept of it lies once that is open."""
        self._embedders, self._data, self._is_open = embedders, data, is_open
        self._probes: Probes | None = None
        self._looking = {name: asyncio.Lock() for name in embedders}
        for name, one in embedders.items():
            one.compare_first = partial(self._compare_first, name, one)
        if embedders:
            reloading.register(PART, self.read_again)

    async def watch(self) -> None:
        """Look now, and again and again."""
        if not self._embedders:
            return
        while not self._is_open():
            await asyncio.sleep(_OPENING)
        while True:
            await asyncio.sleep(HOUR if await self.look() else MINUTE)

    async def read_again(self) -> None:
        """Look now. Raises EmbeddingFailed where a model could not be looked at."""
        if not await self.look():
            raise EmbeddingFailed("model", "some could not be asked for their probe texts")

    async def look(self) -> bool:
        """Look at all; tell whether each could be."""
        found = await asyncio.gather(
            *(self._look_at(name, one) for name, one in self._embedders.items())
        )
        return all(found)

    async def _look_at(self, name: str, embedder: Embedder) -> bool:
        try:
            async with self._looking[name]:
                await self._compare(name, embedder)
        except (EmbeddingFailed, StorageError) as error:
            log.warning("embedder %r could not be compared with what it was: %s", name, error)
            return False
        return True

    async def _compare_first(self, name: str, embedder: Embedder) -> None:
        """Look at one that no one has looked at. Raises EmbeddingFailed or StorageError."""
        async with self._looking[name]:
            if embedder.cosine is None:
                await self._compare(name, embedder)

    async def _compare(self, name: str, embedder: Embedder) -> None:
        made = await embedder.measure(PROBE_TEXTS, "passage")
        if self._probes is None:
            self._probes = Probes(self._data)
        cosine = self._probes.compare(name, parse_vectors(made.vectors))
        embedder.cosine = cosine
        was, now = embedder.suspended, None if cosine >= SAME_MODEL else _changed(cosine)
        embedder.suspended = now
        if now is not None and was is None:
            log.error("embedder %r is suspended: %s", name, now)
        elif now is None and was is not None:
            log.info("embedder %r makes vectors again: its model is the one that it was", name)


def _changed(cosine: float) -> str:
    return (
        "the model behind the name has changed: vectors of eight probe texts have a median cosine "
        f"of {cosine:.3f} with those it first made (expected at least {SAME_MODEL}), so that new "
        "vectors would not compare with stored ones; bring the old model back, or declare the new "
        "one under another name and as another version"
    )
