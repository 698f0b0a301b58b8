"""Texts, and embeddings that need no model: weights of words, spread over a few dimensions.

Texts that share words are close, so that what must be found first can be told by reading.
"""

from __future__ import annotations

import re
import uuid
from zlib import crc32

SIZE = 48

TEXTS = [
    "the harbour opens at dawn for the fishing boats",
    "fishing boats return to the harbour with mackerel",
    "mackerel is grilled over charcoal in the old town",
    "the old town market sells bread and cheese",
    "bread is baked with rye flour and patience",
    "a violin concert fills the old theatre tonight",
    "the theatre shows a comedy about a violin maker",
    "mountain trails are closed after the first snow",
    "snow covers the mountain village until april",
    "in april the village feeds its sheep on the trails",
]
TOPICS = ["sea", "sea", "food", "food", "food", "stage", "stage", "hill", "hill", "hill"]
IDS = [str(uuid.UUID(int=2**100 + n, version=4)) for n in range(len(TEXTS))]


def facts(n: int) -> dict[str, object]:
    """Return what is stored beside a text."""
    return {"topic": TOPICS[n], "page": n, "tags": [TOPICS[n], f"page-{n % 3}"]}


def tokens(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def weight(token: str) -> float:
    """Return how much a word counts: no two words the same, so that texts seldom tie."""
    return 1.0 + crc32(token.encode()) % 9_973 / 9_973


def dense(text: str) -> list[float]:
    """Return weights of words by their hash, plus a little of everything: never a zero vector."""
    vector = [0.05] * SIZE
    for token in tokens(text):
        vector[crc32(token.encode()) % SIZE] += weight(token)
    return vector


def sparse(text: str) -> tuple[list[int], list[float]]:
    """Return hashes of words, as indices, and their weights, a little other in every text."""
    own = 1.0 + crc32(text.encode()) % 9_973 / 99_730
    weights: dict[int, float] = {}
    for token in tokens(text):
        index = crc32(token.encode()) % 1_000_003
        weights[index] = weights.get(index, 0.0) + weight(token) * own
    return list(weights), list(weights.values())
