"""All embedders of one server: what the objects of a request ask for, made at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import msgspec

from palimpsest.app.counts import Counts
from palimpsest.app.embedding.declared import BM25, AnyDeclared, Remote, read_declared, read_key
from palimpsest.app.embedding.embedder import Embedder, Model, Purpose, all_or_none
from palimpsest.app.embedding.failures import REASONS, EmbeddingFailed
from palimpsest.app.embedding.quota import Quota
from palimpsest.app.embedding.replies import Embedded
from palimpsest.app.errors import wrong_input
from palimpsest.app.schemas.inference import Document
from palimpsest.app.settings import Settings
from palimpsest.app.warnings import Warnings
from palimpsest.index import Bm25, Bm25Config, SparseVector

_ENCODER = msgspec.json.Encoder()
_KEPT = 1_024  # bytes of options of BM25 whose tables are kept from one request to the next

Beside: TypeAlias = Callable[[Callable[[], Embedded]], Awaitable[Embedded]]


class Prepared(NamedTuple):
    """The documents of a request before a model is asked for any of them."""

    vectors: list[bytes]  # those of BM25; for each other one of the size that it will have
    places: Mapping[str, Sequence[int]]  # of the others, by model
    counted: Embedded  # by BM25


class Embedders:
    """Made before the first request; used in the event loop's thread. Raises Misconfigured."""

    def __init__(self, settings: Settings) -> None:
        declared = {} if settings.embedders is None else read_declared(settings.embedders)
        self.by_name: Mapping[str, Embedder] = {
            name: _open(name, one) for name, one in declared.items()
        }
        names = (*self.by_name, BM25)
        self.texts = Counts(
            "palimpsest_embedded_texts",
            "Texts that were made into vectors.",
            ("embedder",),
            [(name,) for name in names],
        )
        self.tokens = Counts(
            "palimpsest_embedded_tokens",
            "Tokens of them, as far as models tell.",
            ("embedder",),
            [(name,) for name in names],
        )
        self.failures = Counts(
            "palimpsest_embedding_failures",
            "Requests whose texts got no vectors.",
            ("embedder", "reason"),
            [(name, reason) for name in self.by_name for reason in REASONS],
        )

    async def close(self) -> None:
        """Give up connections and models."""
        for one in self.by_name.values():
            await one.close()

    async def prepare(
        self, documents: Sequence[Document], purpose: Purpose, beside: Beside
    ) -> Prepared:
        """Return what can be told of the documents of a request before a model is asked.

        Args:
            documents: of one request.
            purpose: whether they are asked for, or stored.
            beside: runs work of as long as the texts are, where it keeps no one else waiting.

        Raises:
            Refusal: 400 for a model that is not known, options that it does not take, no text.
            InvalidInput: as ``Bm25Config.from_options``.
        """
        places: dict[str, list[int]] = {}
        for place, document in enumerate(documents):
            places.setdefault(self._name_of(document), []).append(place)
        vectors: list[bytes] = [b""] * len(documents)
        of_bm25 = places.pop(BM25, [])
        chosen = [documents[place] for place in of_bm25]
        counted = await beside(lambda: _by_bm25(chosen, purpose)) if chosen else Embedded([], 0)
        for place, vector in zip(of_bm25, counted.vectors, strict=True):
            vectors[place] = vector
        for name, held in places.items():
            stand_in = b"[" + b",".join([b"1"] * self.by_name[name].declared.size) + b"]"
            for place in held:
                vectors[place] = stand_in
        return Prepared(vectors, places, counted)

    async def embed(
        self,
        documents: Sequence[Document],
        prepared: Prepared,
        purpose: Purpose,
        warnings: Warnings,
    ) -> list[bytes]:
        """Return the vector of each document as the text of JSON, all of them or none.

        Args:
            documents: of one request.
            prepared: what ``prepare`` returned for them.
            purpose: as it was given there.
            warnings: of the reply, which also says what embedding took.

        Raises:
            EmbeddingFailed: a model gave no vectors.
        """
        asked = list(prepared.places.items())
        found = await all_or_none(
            [
                self._ask(name, [documents[place].text for place in places], purpose)
                for name, places in asked
            ]
        )
        vectors = [*prepared.vectors]
        for (name, places), made in zip(asked, found, strict=True):
            for place, vector in zip(places, made.vectors, strict=True):
                vectors[place] = vector
            self._count(name, made, warnings)
        if prepared.counted.vectors:
            self._count(BM25, prepared.counted, warnings)
        return vectors

    def _name_of(self, document: Document) -> str:
        """Return which embedder is meant. Raises Refusal, 400."""
        name = document.model
        if name.lower() == BM25:
            return BM25
        if name not in self.by_name:
            known = ", ".join(map(repr, sorted({*self.by_name, BM25})))
            raise wrong_input(
                f"no embedder {name[:255]!r}: this server has {known}; have the operator declare "
                "it by PALIMPSEST_EMBEDDERS, or embed the text yourself and send the vector"
            )
        if document.options:
            raise wrong_input(
                f"`options` {', '.join(f'`{each}`' for each in document.options)}: embedder "
                f"{name!r} takes none, all about it is declared by the operator"
            )
        if not document.text.strip():
            raise wrong_input(f"`text` is empty: embedder {name!r} makes no vector of that")
        return name

    async def _ask(self, name: str, texts: Sequence[str], purpose: Purpose) -> Embedded:
        try:
            return await self.by_name[name].embed(texts, purpose)
        except EmbeddingFailed as failed:
            self.failures.add(name, failed.reason)
            raise failed.of(name) from None

    def _count(self, name: str, made: Embedded, warnings: Warnings) -> None:
        self.texts.values[(name,)] += len(made.vectors)
        self.tokens.values[(name,)] += made.tokens
        warnings.use(name, made.tokens)


def _open(name: str, declared: AnyDeclared) -> Embedder:
    if not isinstance(declared, Remote):
        # Loaded for those who have such a model: it takes a second, and is an extra.
        from palimpsest.app.embedding.local_model import LocalModel

        local: Model = LocalModel(name, declared)
        return Embedder(declared, local, Quota(0, 0, 0.0))
    from palimpsest.app.embedding.provider import Provider  # httpx: for those who call a model

    return Embedder(
        declared,
        Provider(name, declared, read_key(name, declared)),
        Quota(declared.requests_per_minute, declared.texts_per_day, declared.timeout),
        concurrency=declared.concurrency,
        retries=declared.retries,
    )


def _by_bm25(documents: Sequence[Document], purpose: Purpose) -> Embedded:
    vectors, tokens = [], 0
    models: dict[bytes, Bm25] = {}  # of this request: long options are not kept
    for document in documents:
        options = _ENCODER.encode(document.options or {})
        model = models.get(options)
        if model is None:
            model = models[options] = (_kept if len(options) <= _KEPT else _bm25)(options)
        vector, count = (model.query if purpose == "query" else model.document)(document.text)
        vectors.append(_spelled(vector))
        tokens += count
    return Embedded(vectors, tokens)


def _bm25(options: bytes) -> Bm25:
    given: dict[str, Any] = msgspec.json.decode(options)
    return Bm25(Bm25Config.from_options(given))


_kept = lru_cache(maxsize=64)(_bm25)


def _spelled(vector: SparseVector) -> bytes:
    return _ENCODER.encode({"indices": vector.indices.tolist(), "values": vector.values.tolist()})
