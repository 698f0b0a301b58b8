"""Sparse vectors of texts rank as BM25 does, and are those that clients make themselves."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Bm25, Bm25Config, InvalidConfig, InvalidInput, Unsupported
from palimpsest.index.types import SparseVector

WORDS = ("river", "stone", "Käse", "東京", "x", "running", "runner", "the", "9mm", "snow_white")


def bm25(**options: Any) -> Bm25:
    return Bm25(Bm25Config.from_options(options))


def as_dict(vector: SparseVector) -> dict[int, float]:
    return dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))


def murmur(data: bytes) -> int:
    """MurmurHash3 for 32 bits with seed 0, as its author describes it."""
    mask, state = 0xFFFFFFFF, 0
    rotated = lambda x, by: (x << by | x >> 32 - by) & mask  # noqa: E731
    whole = len(data) - len(data) % 4
    for start in range(0, len(data), 4):
        block = int.from_bytes(data[start : start + 4], "little")
        block = rotated(block * 0xCC9E2D51 & mask, 15) * 0x1B873593 & mask
        state ^= block
        if start < whole:
            state = (rotated(state, 13) * 5 + 0xE6546B64) & mask
    state ^= len(data)
    for by, times in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        state = (state ^ state >> by) * times & mask
    return state


def dimension(term: str) -> int:
    hashed = murmur(term.encode())
    return abs(hashed - 2**32 if hashed >= 2**31 else hashed)


def test_dimensions_are_the_hashes_of_stems() -> None:
    vector, tokens = bm25().document("Running runners, the RUN at 東京!")
    expected = Counter(map(dimension, ("run", "runner", "run", "東京")))
    assert sorted(as_dict(vector)) == sorted(expected)
    assert tokens == 4
    assert vector.indices.dtype == np.uint32 and (np.diff(vector.indices.astype(int)) > 0).all()
    # as fastembed's model of this name gives them for "hello world"
    assert sorted(bm25().query("hello world")[0].indices.tolist()) == sorted(
        (dimension("hello"), dimension("world"))
    )
    assert murmur(b"hello") == 613153351 and murmur(b"") == 0  # published values


def test_values_are_saturated_frequencies() -> None:
    config = {"k": 2.0, "b": 0.5, "avg_len": 5.0}
    vector, tokens = bm25(**config).document("stone stone stone river")
    long = 1 - 0.5 + 0.5 * 4 / 5
    assert as_dict(vector) == pytest.approx(
        {dimension("stone"): 3 * 3 / (3 + 2 * long), dimension("river"): 3 / (1 + 2 * long)}
    )
    assert as_dict(bm25(**config).query("stone stone river")[0]) == {
        dimension("stone"): 1.0,
        dimension("river"): 1.0,
    }


def test_products_with_idf_rank_as_bm25_over_a_corpus() -> None:
    draw = random.Random(5)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 30))) for _ in range(200)]
    terms = [Counter(w for w in t.split() if w != "the") for t in texts]
    average = sum(c.total() for c in terms) / len(texts)
    model = bm25(avg_len=average, stemmer={"type": "none"}, tokenizer="whitespace", lowercase=False)
    query = "river 東京 Käse snow_white"

    def idf(term: str) -> float:
        held = sum(term in each for each in terms)
        return math.log(1 + (len(texts) - held + 0.5) / (held + 0.5))

    idfs = {dimension(term): idf(term) for term in query.split()}
    asked = as_dict(model.query(query)[0])
    for text, counts in zip(texts, terms, strict=True):
        expected = sum(
            idf(t) * counts[t] * 2.2 / (counts[t] + 1.2 * (0.25 + 0.75 * counts.total() / average))
            for t in query.split()
        )
        stored = as_dict(model.document(text)[0])
        found = sum(stored.get(at, 0.0) * weight * idfs[at] for at, weight in asked.items())
        assert found == pytest.approx(expected, rel=1e-5)


# What fastembed 0.9.1 makes of them: terms, in order, and the values of those met once and twice.
EMBEDDED = [
    (
        "english",
        f"The snow_white __init__ _ of {'a' * 40} {'b' * 41} runs running don't stop-words",
        ("snow_whit", "__init__", "a" * 40, "run", "run", "stop", "word"),
        (1.6608670008846949, 1.8927911275415896),
    ),
    (
        "turkish",  # one letter, in lower case, is two, of which the second parts words
        "İstanbul'da ILIK bir gün",
        ("i", "stanbul", "ilik", "bir", "gün"),
        (1.6697302104951084,),
    ),
    (
        "english",
        "東京 naïve e\u0301te ß ﬁne ½ running, ran; runner's 9mm 9mm",
        ("東京", "naïv", "e", "te", "ß", "ﬁne", "½", "run", "ran", "runner", "9mm", "9mm"),
        (1.6391152502910362, 1.8785857238158774),
    ),
]


@pytest.mark.parametrize(("language", "text", "terms", "values"), EMBEDDED)
def test_vectors_are_those_that_clients_make(
    language: str, text: str, terms: tuple[str, ...], values: tuple[float, ...]
) -> None:
    model = bm25(language=language)
    vector, tokens = model.document(text)
    expected = {dimension(t): float(np.float32(values[n - 1])) for t, n in Counter(terms).items()}
    assert as_dict(vector) == expected
    assert tokens == len(terms)
    assert as_dict(model.query(text)[0]) == dict.fromkeys(expected, 1.0)


@pytest.mark.parametrize("between", [" ", "\n\u2003", "'"])
def test_long_texts_are_cut_between_words(between: str) -> None:
    draw = random.Random(3)
    words = [draw.choice(("running", "İLK", "ΟΔΟΣ", "x" * 39, "東京")) for _ in range(5_000)]
    vector, tokens = bm25(language="none").document(between.join(words))
    alone = Counter(t for word in words for t in word.lower().replace("\u0307", " ").split())
    assert tokens == alone.total()
    assert sorted(as_dict(vector)) == sorted(map(dimension, alone))


@pytest.mark.parametrize(
    ("options", "text", "terms"),
    [
        ({}, "the and of", []),
        ({}, "", []),
        ({}, "snow_white don't _", ["snow_whit"]),
        ({"tokenizer": "word"}, "snow_white don't", ["snow", "white"]),
        ({}, f"{'a' * 40} {'b' * 41}", ["a" * 40]),
        ({"max_token_len": 60}, f"{'b' * 41} {'c' * 61}", ["b" * 41]),
        ({"language": "none"}, "the Dogs", ["the", "dogs"]),
        ({"language": "german"}, "die Häuser und", ["haus"]),
        ({"language": "German", "ascii_folding": True}, "Häuser", ["haus"]),
        ({"stopwords": {"custom": ["dogs"]}}, "the dogs bark", ["the", "bark"]),
        ({"stemmer": {"type": "none"}}, "the dogs", ["dogs"]),
        ({"lowercase": False, "language": "none"}, "Dog dog", ["Dog", "dog"]),
        ({"min_token_len": 3, "max_token_len": 4}, "ox dogs elephants", []),
        ({"tokenizer": "whitespace", "k": None}, "a-b c", ["a-b", "c"]),
    ],
)
def test_options_say_what_a_term_is(options: Any, text: str, terms: list[str]) -> None:
    if "min_token_len" in options:
        terms = ["dog"]  # lengths are those of stems
    vector, tokens = bm25(**options).document(text)
    assert sorted(as_dict(vector)) == sorted(map(dimension, terms))
    assert tokens == len(terms)


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"kk": 1}, InvalidInput, "Unknown option `kk`"),
        ({"k": "1"}, InvalidInput, "`k` of BM25: expected a number"),
        ({"b": True}, InvalidInput, "`b` of BM25: expected a number"),
        ({"b": 1.5}, InvalidConfig, "from 0 to 1, received 1.5"),
        ({"k": float("inf")}, InvalidConfig, "from 0 to 1e+06"),
        ({"avg_len": 10**400}, InvalidConfig, "from 0 to 1e+09, received 1000"),
        ({"language": "a" * 5_000}, InvalidConfig, "No stop words of language 'aaa"),
        ({"avg_len": 0}, InvalidConfig, "above 0"),
        ({"language": 3}, InvalidInput, "`language`"),
        ({"language": "klingon"}, InvalidConfig, "klingon"),
        ({"tokenizer": "sudachi"}, Unsupported, "sudachi"),
        ({"lowercase": "yes"}, InvalidInput, "lowercase"),
    ],
)
def test_options_that_mean_nothing(options: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as raised:
        Bm25Config.from_options(options)
    assert told in str(raised.value)
