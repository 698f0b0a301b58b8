"""Tokens of texts, and with ``phrases`` their order.

Every text of an array is a text of its own to a condition, while the sets of points by token do not
keep them apart: points with several texts have to be looked at when a condition names more than one
token. So have, for phrases, points whose order of tokens is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.filters.expression import Field, MatchText
from palimpsest.index.filters.tokens import Tokenizer, TokenizerConfig
from palimpsest.index.payload.candidates import Open, PartCandidates
from palimpsest.index.payload.postings import Arrays, Postings, grouped
from palimpsest.index.payload.presence import Presence
from palimpsest.index.payload.sequences import Sequences
from palimpsest.index.payload.sound import require, require_array


class Texts:
    """Which points hold which tokens."""

    def __init__(self, config: TokenizerConfig, phrases: bool) -> None:
        self.tokenizer = Tokenizer(config)
        self._postings = Postings()
        self._prefixes = config.kind == "prefix"  # words are stored, and found by their beginnings
        self._sequences = Sequences() if phrases and not self._prefixes else None
        self._several = BitMap()  # points of more than one text

    @property
    def nbytes(self) -> int:
        """Resident bytes."""
        return self._postings.nbytes + (self._sequences.nbytes if self._sequences else 0)

    def add(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Add points to the sets of their tokens."""
        tokens = [[self.tokenizer.words(text) for text in texts] for texts in values]
        for token, group in grouped(numbers, map(chain.from_iterable, tokens)).items():
            self._postings.add(token, group)
        for number, texts in zip(numbers, tokens, strict=True):
            if len(texts) > 1:
                self._several.add(number)
            elif self._sequences is not None:
                self._sequences.add(number, texts[0])

    def remove(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Take points out of the sets of their tokens."""
        remove, tokens_of = self._postings.remove, self.tokenizer.words
        for number, texts in zip(numbers, values, strict=True):
            for token in set().union(*map(tokens_of, texts)):
                remove(token, number)
        self._forget(numbers)

    def discard(self, numbers: BitMap) -> None:
        """Take points out of all sets."""
        self._postings.discard(numbers)
        self._forget(numbers)

    def answer(self, condition: Field) -> PartCandidates | None:
        """Answer conditions on tokens."""
        if not isinstance(condition, MatchText) or condition.how in ("prefix", "substring"):
            return None
        tokens = self.tokenizer.query_tokens(condition.text)
        if not tokens:
            return PartCandidates(BitMap(), BitMap())
        if condition.how == "any":
            return PartCandidates(self._postings.union(self._stored(tokens)), BitMap(), "others")
        found = self._with_all(tokens)
        if len(tokens) == 1:
            return PartCandidates(found, BitMap(), "others")
        # Tokens of a point are not told apart by its texts: of one with several, both tokens may be
        # in different ones, and only the payload tells.
        if condition.how == "all":
            return PartCandidates(found - self._several, found & self._several, "others")
        if self._sequences is None:
            return PartCandidates(BitMap(), found, "others")
        single = found - self._several
        return PartCandidates(
            self._sequences.with_phrase(tokens, single), found & self._several, "others"
        )

    def leaves_open(self, _condition: Field) -> Open | None:
        """Return None: it answers no match and no bounds."""
        return None

    def to_arrays(self) -> Arrays:
        """Return the sets by token, and the order."""
        order = self._sequences.to_arrays() if self._sequences is not None else {}
        several = np.array(self._several.to_array(), dtype=np.uint32)
        return {**self._postings.to_arrays(), "several": several, **order}

    def load(self, arrays: Arrays, presence: Presence) -> None:
        """Take the sets and the order over."""
        require_array(arrays["several"], np.uint32, -1)
        self._postings = Postings.from_arrays(arrays, str)
        self._several = from_numbers(arrays["several"])
        require(self._several == presence.several, "points of several texts")
        found = self._postings.union(self._postings.values())
        require(found.issubset(presence.typed), "tokens of points that have no text")
        if self._sequences is not None:
            self._sequences = Sequences.from_arrays(arrays)
            self._sequences.require_points(presence.typed - presence.several)
            unknown = self._postings.union(self._sequences.unknown(self._postings.values()))
            require(unknown.issubset(presence.several), "tokens that are in no text")

    def _stored(self, tokens: list[str]) -> list[str]:
        """Return what the tokens of a query stand for among those stored."""
        if not self._prefixes:
            return tokens
        return [word for token in tokens for word in self._postings.starting_with(token)]

    def _with_all(self, tokens: list[str]) -> BitMap:
        if not self._prefixes:
            return self._postings.intersection(tokens)
        sets = [self._postings.union(self._stored([token])) for token in tokens]
        return BitMap.intersection(*sets)

    def _forget(self, numbers: Iterable[int]) -> None:
        self._several -= BitMap(numbers)
        if self._sequences is not None:
            self._sequences.discard(numbers)
