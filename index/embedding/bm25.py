"""Texts as sparse vectors whose products are BM25, once a collection weighs terms by their idf.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), equation
3.15, split in two. A text that is stored has for each term t the saturated frequency

    f(t) (k + 1) / (f(t) + k (1 - b + b |d| / avg_len)),

a query has 1; the idf of t is the modifier ``idf`` of the vectors. A dimension is the absolute
value of the 32-bit MurmurHash3 of the term in UTF-8. Unless a tokenizer is named, texts are cut as
by fastembed's ``Qdrant/bm25``: vectors which clients made themselves are equal to these. The
average length is declared: it would else change with every write, and with it every vector.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mmh3
import numpy as np

from palimpsest.index.errors import InvalidConfig, InvalidInput
from palimpsest.index.filters.tokens import Tokenizer, TokenizerConfig
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.types import SparseVector

DEFAULT_K = 1.2
DEFAULT_B = 0.75
DEFAULT_AVERAGE = 256.0  # tokens of a text
MAX_K, MAX_AVERAGE = 1e6, 1e9
DEFAULT_LANGUAGE = "english"
NO_LANGUAGE = "none"  # neither stop words nor a stemmer
LONGEST = 40  # characters of a word, before its stem; of words that are cut as by fastembed

_PIECE = 16 * 1024  # characters
_GAP = re.compile(r"\s")
_WORD = re.compile(r"\w+")  # with the underscore, which parts words of a text index

_NUMBERS = ("k", "b", "avg_len")
_TOKENS = (
    *("tokenizer", "lowercase", "ascii_folding", "stopwords", "stemmer"),
    *("min_token_len", "max_token_len"),
)


@dataclass(frozen=True, slots=True)
class Bm25Config:
    """How texts become terms, and terms values; ``average`` is in tokens."""

    tokenizer: TokenizerConfig
    is_cut: bool = False  # into words as by fastembed, before the tokenizer sees a text
    k: float = DEFAULT_K
    b: float = DEFAULT_B
    average: float = DEFAULT_AVERAGE

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Bm25Config:
        """Read what a request may say; what it does not is as in Qdrant.

        Args:
            options: some of ``k``, ``b``, ``avg_len``, ``language``, and of the parameters of a
                text index: ``tokenizer``, ``lowercase``, ``ascii_folding``, ``stopwords``,
                ``stemmer``, ``min_token_len``, ``max_token_len``. Null is as good as absent.

        Raises:
            InvalidInput: an option is unknown or of a wrong type.
            InvalidConfig: a number is out of range, or nothing is known of a language.
            Unsupported: a tokenizer that is not carried out.
        """
        given = {name: value for name, value in options.items() if value is not None}
        known = (*_NUMBERS, "language", *_TOKENS)
        for name in given:
            if name not in known:
                raise InvalidInput(f"Unknown option `{name}` of BM25: expected {', '.join(known)}")
        k, b, average = (
            _number(name, given.get(name, default), most)
            for name, default, most in (
                ("k", DEFAULT_K, MAX_K),
                ("b", DEFAULT_B, 1.0),
                ("avg_len", DEFAULT_AVERAGE, MAX_AVERAGE),
            )
        )
        if average == 0:
            raise InvalidConfig("Option `avg_len` of BM25: expected a number above 0, received 0")
        is_cut = "tokenizer" not in given
        return cls(_tokenizer(given, is_cut), is_cut, k, b, average)


class Bm25:
    """Makes vectors of texts; has no state but its tables. Raises InvalidConfig."""

    def __init__(self, config: Bm25Config) -> None:
        self._config = config
        self._tokenizer = Tokenizer(config.tokenizer)

    def document(self, text: str) -> tuple[SparseVector, int]:
        """Return the vector of a text that is stored, and how many tokens it has."""
        tokens = self._terms(text)
        counts = Counter(map(_dimension, tokens))
        indices = np.fromiter(counts, np.uint32, len(counts))
        order = np.argsort(indices)
        found = np.fromiter(counts.values(), np.float64, len(counts))[order]
        k, b = self._config.k, self._config.b
        long = 1 - b + b * len(tokens) / self._config.average
        values = found * (k + 1) / (found + k * long)
        return SparseVector(indices[order], values.astype(np.float32)), len(tokens)

    def query(self, text: str) -> tuple[SparseVector, int]:
        """Return the vector of a text that is asked for, and how many tokens it has."""
        tokens = self._terms(text, of_query=True)
        indices = np.unique(np.fromiter(map(_dimension, tokens), np.uint32, len(tokens)))
        return SparseVector(indices, np.ones(len(indices), np.float32)), len(tokens)

    def _terms(self, text: str, *, of_query: bool = False) -> list[str]:
        config, tokenizer = self._config, self._tokenizer
        find = tokenizer.query_tokens if of_query else tokenizer.words
        if not config.is_cut:
            return [term for term in find(text) if term]
        longest = None if config.tokenizer.max_length is not None else LONGEST
        lowercase = config.tokenizer.lowercase
        return [
            term
            for piece in _pieces(text)
            for term in find(_cut(piece, lowercase, longest))
            if term  # some stemmers leave nothing of a word
        ]


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that end between words.

    Other threads wait while one is cut and stemmed.
    """
    begin = 0
    while len(text) - begin > _PIECE:
        gap = _GAP.search(text, begin + _PIECE)
        if gap is None:
            break
        yield text[begin : gap.start()]
        begin = gap.end()
    yield text[begin:]


def _cut(text: str, lowercase: bool, longest: int | None) -> str:
    """Return the words of a text with white space between them."""
    words = _WORD.findall(text)
    if lowercase:
        # Cut again: one letter may become several characters, and not all of them part of a word.
        words = _WORD.findall(" ".join(words).lower())
    return " ".join(
        word for word in words if word != "_" and (longest is None or len(word) <= longest)
    )


def _dimension(token: str) -> int:
    return abs(mmh3.hash(token.encode("utf-8", "surrogatepass")))


def _number(name: str, value: object, most: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidInput(f"Option `{name}` of BM25: expected a number, received {value!r:.60}")
    if not 0 <= value <= most or not math.isfinite(value):
        # Not as a float: it may be a whole number beyond them.
        raise InvalidConfig(
            f"Option `{name}` of BM25: expected a number from 0 to {most:g}, received {value!s:.60}"
        )
    return float(value)


def _tokenizer(given: Mapping[str, Any], is_cut: bool) -> TokenizerConfig:
    """Return how texts are cut: as by a text index, but with the words of a language from start."""
    language = given.get("language", DEFAULT_LANGUAGE)
    if not isinstance(language, str):
        raise InvalidInput(f"Option `language` of BM25: expected a text, received {language!r:.60}")
    chosen = {name: given[name] for name in _TOKENS if name in given}
    if is_cut:
        chosen["tokenizer"] = "whitespace"  # what parts the words that were cut
    if language.lower() != NO_LANGUAGE:
        chosen.setdefault("stopwords", language)
        chosen.setdefault("stemmer", {"type": "snowball", "language": language})
    return FieldIndex.from_declared({"type": "text", **chosen}).tokenizer
