"""What a caller declares for a payload index, checked.

The declared object is kept as it was given: it is what ``payload_schema`` returns and what is
stored; everything else is derived from it. Placement hints (``on_disk``, ``memory``, ``is_tenant``,
``is_principal``, ``enable_hnsw``, ``prefix``) are accepted and change nothing: indexes are held in
memory, and prefixes are answered by every keyword index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import msgspec

from palimpsest.index.errors import InvalidConfig, InvalidInput, Unsupported
from palimpsest.index.filters.tokens import KINDS, Tokenizer, TokenizerConfig

FieldKind = Literal["keyword", "integer", "float", "bool", "datetime", "uuid", "geo", "text"]
FIELD_KINDS: tuple[FieldKind, ...] = get_args(FieldKind)
MEMORY = ("cold", "cached", "pinned")
MIN_TOKEN_LENGTH, MAX_TOKEN_LENGTH = 1, 10_000

_HINTS = {"type": str, "on_disk": bool, "memory": str, "enable_hnsw": bool, "nested": str}
_TEXT = {
    "tokenizer": str,
    "min_token_len": int,
    "max_token_len": int,
    "lowercase": bool,
    "ascii_folding": bool,
    "phrase_matching": bool,
    "stopwords": (str, Mapping),
    "stemmer": Mapping,
    "scoring": (bool, Mapping),
}
FIELD_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "keyword": _HINTS | {"is_tenant": bool, "prefix": bool},
    "integer": _HINTS | {"lookup": bool, "range": bool, "is_principal": bool},
    "float": _HINTS | {"is_principal": bool},
    "bool": _HINTS,
    "datetime": _HINTS | {"is_principal": bool},
    "uuid": _HINTS | {"is_tenant": bool},
    "geo": _HINTS,
    "text": _HINTS | _TEXT,
}


@dataclass(frozen=True)
class FieldIndex:
    """One payload index: its kind, and what the kind allows to choose.

    ``lookup`` and ``range`` concern integers: exact matches, and bounds and order. ``tokenizer``
    and ``phrases`` concern texts: with ``phrases``, word order is kept in memory too.
    """

    kind: FieldKind
    lookup: bool = True
    range: bool = True
    tokenizer: TokenizerConfig = TokenizerConfig()
    phrases: bool = False
    declared: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_declared(cls, declared: str | Mapping[str, Any]) -> FieldIndex:
        """Read a kind's name, or an object with ``type`` and that type's parameters.

        Raises:
            InvalidInput: unknown type or parameter, or a value of another kind.
            InvalidConfig: a value out of range, or one that contradicts another.
            Unsupported: a known parameter that is not carried out.
        """
        given: dict[str, Any] = {"type": declared} if isinstance(declared, str) else dict(declared)
        kind = _checked_kind(given.get("type"))
        known = {key: value for key, value in given.items() if value is not None}
        _check_types(kind, known)
        _check_supported(known)
        lookup, in_range = known.get("lookup", True), known.get("range", True)
        if not lookup and not in_range:
            raise InvalidConfig("An integer index needs `lookup` or `range`: both are false")
        tokenizer = _tokenizer(known)
        Tokenizer(tokenizer)  # refuses unknown languages now, not when the first text is read
        phrases = known.get("phrase_matching", False)
        return cls(kind, lookup, in_range, tokenizer, phrases, given)

    def to_json(self) -> bytes:
        """Return what ``from_json`` reads."""
        return msgspec.json.encode(self.declared)

    @classmethod
    def from_json(cls, text: bytes | str) -> FieldIndex:
        """Return the declaration that ``to_json`` wrote."""
        return cls.from_declared(msgspec.json.decode(text))


def _checked_kind(name: object) -> FieldKind:
    for kind in FIELD_KINDS:
        if name == kind:
            return kind
    raise InvalidInput(
        f"Unknown type of payload index {name!r}: expected one of {', '.join(FIELD_KINDS)}"
    )


def _check_types(kind: FieldKind, given: Mapping[str, Any]) -> None:
    keys = FIELD_PARAMETERS[kind]
    for key, value in given.items():
        if key not in keys:
            raise InvalidInput(
                f"Unknown parameter `{key}` of a {kind} index: expected some of {', '.join(keys)}"
            )
        if not isinstance(value, keys[key]) or (isinstance(value, bool) and keys[key] is int):
            raise InvalidInput(f"Parameter `{key}` of a {kind} index: {value!r} is of wrong type")


def _check_supported(given: Mapping[str, Any]) -> None:
    if given.get("memory", MEMORY[0]) not in MEMORY:
        raise InvalidInput(
            f"Unknown `memory` {given['memory']!r}: expected one of {', '.join(MEMORY)}"
        )
    if "nested" in given:
        raise Unsupported(
            "Parameter `nested` of a payload index is not supported: leave it out, and filter "
            "with a nested condition"
        )
    if given.get("scoring"):
        raise Unsupported(
            "Parameter `scoring` of a text index is not supported: leave it out, and rank texts "
            "with sparse vectors and the idf modifier"
        )


def _tokenizer(given: Mapping[str, Any]) -> TokenizerConfig:
    kind = given.get("tokenizer", "word")
    if kind not in KINDS:
        raise Unsupported(f"Tokenizer {kind!r} is not supported: use one of {', '.join(KINDS)}")
    shortest, longest = given.get("min_token_len"), given.get("max_token_len")
    _check_lengths(shortest, longest)
    languages, words = _stopwords(given.get("stopwords", {}))
    return TokenizerConfig(
        kind,
        shortest,
        longest,
        given.get("lowercase", True),
        given.get("ascii_folding", False),
        languages,
        words,
        _stemmer(given.get("stemmer", {})),
    )


def _check_lengths(shortest: int | None, longest: int | None) -> None:
    for length in (shortest, longest):
        if length is not None and not MIN_TOKEN_LENGTH <= length <= MAX_TOKEN_LENGTH:
            raise InvalidConfig(
                f"A token length of {length} is out of range: "
                f"expected {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH}"
            )
    if shortest is not None and longest is not None and shortest > longest:
        raise InvalidConfig(f"min_token_len {shortest} is above max_token_len {longest}")


def _stopwords(given: str | Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if isinstance(given, str):
        return (given.lower(),), ()
    _check_keys("stopwords", given, ("languages", "custom"))
    languages, words = given.get("languages") or (), given.get("custom") or ()
    for words_given in (languages, words):
        if not _are_texts(words_given):
            raise InvalidConfig(f"Stop words: expected lists of texts, received {words_given!r}")
    return tuple(language.lower() for language in languages), tuple(words)


def _are_texts(words: object) -> bool:
    return isinstance(words, list | tuple) and all(isinstance(word, str) for word in words)


def _stemmer(given: Mapping[str, Any]) -> str | None:
    if not given or given.get("type") in ("none", "disabled"):
        return None
    _check_keys("stemmer", given, ("type", "language"))
    if given.get("type") != "snowball" or not isinstance(given.get("language"), str):
        raise InvalidConfig(
            f'Unknown stemmer {dict(given)!r}: expected {{"type": "snowball", "language": ...}}'
        )
    return str(given["language"]).lower()


def _check_keys(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise InvalidInput(
                f"Unknown key `{key}` of {what}: expected some of {', '.join(known)}"
            )
