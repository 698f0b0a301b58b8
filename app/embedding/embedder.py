"""One embedder: texts get their prefix, go to the model in batches, and come back all or not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any, Literal, Protocol, TypeAlias

from palimpsest.app.embedding.declared import Declared
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.quota import Quota
from palimpsest.app.embedding.replies import Embedded

Purpose: TypeAlias = Literal["query", "passage"]

FIRST_PAUSE = 0.25  # seconds before the second try; each one after that waits twice as long
LONGEST_PAUSE = 30.0


class Model(Protocol):
    """What makes vectors of a batch of texts."""

    async def embed(self, texts: list[str]) -> Embedded:
        """Return their vectors. Raises EmbeddingFailed."""

    async def close(self) -> None:
        """Give up what it holds."""


class Embedder:
    """A model as it was declared; used in the event loop's thread."""

    def __init__(
        self,
        declared: Declared,
        model: Model,
        quota: Quota,
        *,
        concurrency: int = 1,
        retries: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.declared = declared
        self.suspended: str | None = None  # why no vectors are made, None while they are
        self.cosine: float | None = None  # to the model that it was, None before it was looked at
        # Compares it with what it was, before anything that it makes is given away.
        self.compare_first: Callable[[], Awaitable[None]] | None = None
        self._model, self._quota = model, quota
        self._calls = asyncio.Semaphore(concurrency)
        self._retries, self._sleep = retries, sleep

    async def close(self) -> None:
        """Give up what the model holds."""
        await self._model.close()

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Embedded:
        """Return the vectors of texts, each of which is sent once.

        Raises:
            EmbeddingFailed: one of them got none; the calls for the others are given up.
            StorageError: what it was cannot be read.
        """
        self._require_same()
        distinct = list(dict.fromkeys(texts))
        self._quota.take(len(distinct))
        made = await self.measure(distinct, purpose)
        # After them: what is wrong with a model is told by what it was asked for.
        if self.cosine is None and self.compare_first is not None:
            await self.compare_first()
            self._require_same()
        by_text = dict(zip(distinct, made.vectors, strict=True))
        return Embedded([by_text[text] for text in texts], made.tokens)

    def _require_same(self) -> None:
        if self.suspended is not None:
            raise EmbeddingFailed("suspended", self.suspended, HTTPStatus.SERVICE_UNAVAILABLE)

    async def measure(self, texts: Sequence[str], purpose: Purpose) -> Embedded:
        """Do the same though it is suspended, and beside the limits of a day."""
        declared = self.declared
        prefix = declared.query_prefix if purpose == "query" else declared.passage_prefix
        given = [prefix + text for text in texts]
        batches = [given[i : i + declared.batch] for i in range(0, len(given), declared.batch)]
        found = await all_or_none([self._call(batch) for batch in batches])
        vectors = [vector for each in found for vector in each.vectors]
        return Embedded(vectors, sum(each.tokens for each in found))

    async def _call(self, texts: list[str]) -> Embedded:
        """Ask the model, again where that may help. Raises EmbeddingFailed."""
        for tried in range(self._retries + 1):
            try:
                async with self._calls:
                    await self._quota.turn()
                    return await self._model.embed(texts)
            except EmbeddingFailed as failed:
                pause = _pause(tried, failed.after)
                if not failed.again or tried == self._retries or pause > LONGEST_PAUSE:
                    raise
            # Outside: who waits to try again keeps no one else from the model.
            await self._sleep(pause)
        raise AssertionError("the last try returns or raises")


async def all_or_none(calls: Sequence[Coroutine[Any, Any, Embedded]]) -> list[Embedded]:
    """Return what all calls make; when one fails the others are given up.

    Raises:
        EmbeddingFailed: the first failure.
    """
    failure: EmbeddingFailed | None = None
    try:
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(each) for each in calls]
    except* EmbeddingFailed as failed:
        failure = _first(failed)
    if failure is not None:
        raise failure
    return [each.result() for each in made]


def _first(failed: BaseExceptionGroup[EmbeddingFailed]) -> EmbeddingFailed:
    first = failed.exceptions[0]
    return first if isinstance(first, EmbeddingFailed) else _first(first)


def _pause(tried: int, after: float | None) -> float:
    """Return the seconds before another try: as the provider says, or ever longer."""
    if after is not None:
        return after
    longest = FIRST_PAUSE * 2.0**tried
    # Of random length, so that clients that failed together do not come again together.
    return min(LONGEST_PAUSE, longest * random.uniform(0.5, 1.0))
