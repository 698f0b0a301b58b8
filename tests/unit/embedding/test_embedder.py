"""Batches, prefixes, tries: what an embedder makes of a model that may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from palimpsest.app.embedding.declared import Local
from palimpsest.app.embedding.embedder import FIRST_PAUSE, Embedder
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.quota import Quota
from palimpsest.app.embedding.replies import Embedded

DECLARED = Local(folder="m", size=1, batch=2, query_prefix="q: ", passage_prefix="p: ")  # type: ignore[arg-type]


class Lengths:
    """A model whose vectors are lengths of texts, and which fails as it is told."""

    def __init__(self, *failures: EmbeddingFailed) -> None:
        self.failures = list(failures)
        self.calls: list[list[str]] = []
        self.at_once = self.most = 0
        self.is_closed = False

    async def embed(self, texts: list[str]) -> Embedded:
        self.calls.append(texts)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.failures:
            raise self.failures.pop(0)
        return Embedded([b"[%d]" % len(each) for each in texts], len(texts))

    async def close(self) -> None:
        self.is_closed = True


def embed(
    model: Lengths, texts: Sequence[str], retries: int = 0, concurrency: int = 1
) -> tuple[Embedded, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def story() -> Embedded:
        embedder = Embedder(
            DECLARED,
            model,
            Quota(0, 100, 1.0),
            concurrency=concurrency,
            retries=retries,
            sleep=sleep,
        )
        return await embedder.embed(texts, "passage")

    return asyncio.run(story()), slept


def again(after: float | None = None) -> EmbeddingFailed:
    return EmbeddingFailed("status", "busy", 429, again=True, after=after)


def test_texts_go_in_batches_each_once() -> None:
    model = Lengths()
    made, _ = embed(model, ["a", "bbb", "a", "cc", "bbb", "dddd", "eeeee"], concurrency=2)
    assert made.vectors == [b"[4]", b"[6]", b"[4]", b"[5]", b"[6]", b"[7]", b"[8]"]
    assert made.tokens == 5
    assert sorted(model.calls) == [["p: a", "p: bbb"], ["p: cc", "p: dddd"], ["p: eeeee"]]
    assert model.most == 2


def test_queries_have_a_prefix_of_their_own() -> None:
    model = Lengths()
    asyncio.run(Embedder(DECLARED, model, Quota(0, 0, 0)).embed(["a"], "query"))
    assert model.calls == [["q: a"]]


def test_what_may_help_is_tried_again_ever_later() -> None:
    model = Lengths(again(), again(), again())
    made, slept = embed(model, ["a"], retries=3)
    assert made.vectors == [b"[4]"]
    assert len(slept) == 3
    for number, pause in enumerate(slept):
        assert FIRST_PAUSE * 2**number / 2 <= pause <= FIRST_PAUSE * 2**number
    assert embed(Lengths(again(after=7.0)), ["a"], retries=1)[1] == [7.0]


@pytest.mark.parametrize(
    ("failures", "calls"),
    [
        ([EmbeddingFailed("reply", "NaN")], 1),
        ([again(after=3_600.0)], 1),
        ([again(), again(), again()], 3),
        ([again(), EmbeddingFailed("reply", "NaN")], 2),
    ],
)
def test_what_does_not_is_told(failures: list[EmbeddingFailed], calls: int) -> None:
    model, last = Lengths(*failures), failures[-1]
    with pytest.raises(EmbeddingFailed) as raised:
        embed(model, ["a"], retries=2)
    assert raised.value.text == last.text
    assert len(model.calls) == calls


def test_one_failure_gives_all_batches_up() -> None:
    model = Lengths(EmbeddingFailed("reply", "NaN"))
    with pytest.raises(EmbeddingFailed, match="NaN"):
        embed(model, [str(i) for i in range(20)])
    assert len(model.calls) < 10


def test_a_suspended_one_makes_none_and_can_be_measured() -> None:
    async def story() -> None:
        model = Lengths()
        embedder = Embedder(DECLARED, model, Quota(0, 1, 0))
        embedder.suspended = "another model"
        with pytest.raises(EmbeddingFailed, match="another model") as raised:
            await embedder.embed(["a"], "query")
        assert (raised.value.status, raised.value.reason) == (503, "suspended")
        assert model.calls == []
        for _ in range(2):  # beside the limit of a day
            assert (await embedder.measure(["a"], "passage")).vectors == [b"[4]"]
        await embedder.close()
        assert model.is_closed

    asyncio.run(story())


def test_beyond_a_day_nothing_is_sent() -> None:
    model = Lengths()
    with pytest.raises(EmbeddingFailed, match="texts_per_day"):
        embed(model, [str(i) for i in range(101)])
    assert model.calls == []
