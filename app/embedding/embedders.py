"""All embedders of one server: what the objects of a request ask for, made at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

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

    async def embed(
        self, documents: Sequence[Document], purpose: Purpose, warnings: Warnings
    ) -> list[bytes]:
        """Return the vector of each document as the text of JSON, all of them or none.

        Args:
            documents: of one request.
            purpose: whether they are asked for, or stored.
            warnings: of its reply, which also says what embedding took.

        Raises:
            Refusal: 400 for a model that is not known, options that it does not take, no text.
            EmbeddingFailed: a model gave no vectors.
            InvalidInput: as ``Bm25Config.from_options``.
        """
        groups: dict[str, list[int]] = {}
        for place, document in enumerate(documents):
            groups.setdefault(self._name_of(document), []).append(place)
        # All that can be wrong with a request is found before a model is asked for any of it.
        asked = [(name, places) for name, places in groups.items() if name != BM25]
        vectors: list[bytes] = [b""] * len(documents)
        if BM25 in groups:
            places = groups[BM25]
            made = _by_bm25([documents[place] for place in places], purpose)
            self._put(vectors, places, made, BM25, warnings)
        found = await all_or_none(
            [
                self._ask(name, [documents[p].text for p in places], purpose)
                for name, places in asked
            ]
        )
        for (name, places), made in zip(asked, found, strict=True):
            self._put(vectors, places, made, name, warnings)
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

    def _put(
        self,
        vectors: list[bytes],
        places: Sequence[int],
        made: Embedded,
        name: str,
        warnings: Warnings,
    ) -> None:
        for place, vector in zip(places, made.vectors, strict=True):
            vectors[place] = vector
        self.texts.values[(name,)] += len(places)
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
    for document in documents:
        model = _bm25(_ENCODER.encode(document.options or {}))
        vector, count = (model.query if purpose == "query" else model.document)(document.text)
        vectors.append(_spelled(vector))
        tokens += count
    return Embedded(vectors, tokens)


@lru_cache(maxsize=64)
def _bm25(options: bytes) -> Bm25:
    given: dict[str, Any] = msgspec.json.decode(options)
    return Bm25(Bm25Config.from_options(given))


def _spelled(vector: SparseVector) -> bytes:
    return _ENCODER.encode({"indices": vector.indices.tolist(), "values": vector.values.tolist()})
