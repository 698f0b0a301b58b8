"""The order of tokens in the texts of points, for phrases.

Tokens are numbered; a text is the four bytes each of its tokens' numbers. A phrase is then a run of
bytes, searched for at the speed of memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import compress

import msgspec
import numpy as np
from pyroaring import BitMap

from palimpsest.index.payload.postings import Arrays, Value
from palimpsest.index.payload.sound import require, require_array

_BYTES = 4
_ENTRY_BYTES = 140  # of a dict's entry and its object
_SLACK = 1 << 20  # bytes of texts that are gone and not worth looking for unused tokens


class Sequences:
    """One text per point."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}  # and for a while those that no text holds any more
        self._texts: dict[int, bytes] = {}
        self._text_bytes = 0
        self._gone_bytes = 0  # since unused tokens were looked for

    @property
    def nbytes(self) -> int:
        """Resident bytes, estimated."""
        return self._text_bytes + _ENTRY_BYTES * (len(self._tokens) + len(self._texts))

    def add(self, number: int, tokens: Sequence[str]) -> None:
        """Set the text of a point."""
        known = self._tokens
        text = array("I", [known.setdefault(token, len(known)) for token in tokens]).tobytes()
        self._text_bytes += len(text) - len(self._texts.get(number, b""))
        # Numbers of four bytes in place of the words: a phrase is then found by a search for bytes,
        # which is native, and texts take a fraction of their characters.
        self._texts[number] = text

    def discard(self, numbers: Iterable[int]) -> None:
        """Forget points."""
        gone = sum(len(self._texts.pop(number, b"")) for number in numbers)
        self._text_bytes -= gone
        self._gone_bytes += gone
        # Once as much is gone as is left: a pass over all texts is then paid for by what it gives
        # back.
        if self._gone_bytes > self._text_bytes + _SLACK:
            self._gone_bytes = 0
            self._drop_unused()

    def with_phrase(self, tokens: Sequence[str], among: BitMap) -> BitMap:
        """Return which of the points hold the tokens one after the other; all are known."""
        if not among:
            return BitMap()
        phrase = array("I", [self._tokens[token] for token in tokens]).tobytes()
        texts = self._texts
        return BitMap(number for number in among if _holds(texts.get(number, b""), phrase))

    def to_arrays(self) -> Arrays:
        """Return what ``from_arrays`` reads."""
        lengths = [len(text) // _BYTES for text in self._texts.values()]
        texts = b"".join(self._texts.values())
        return {
            "vocabulary": np.frombuffer(msgspec.msgpack.encode(list(self._tokens)), np.uint8),
            "text_numbers": np.fromiter(self._texts, np.uint32, len(self._texts)),
            "text_lengths": np.array(lengths, dtype=np.uint32),
            "texts": np.frombuffer(texts, dtype=np.uint32),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Sequences:
        """Return the texts that ``to_arrays`` wrote. Raises ValueError for others."""
        for name in ("text_numbers", "text_lengths", "texts"):
            require_array(arrays[name], np.uint32, -1)
        sequences = cls()
        vocabulary = msgspec.msgpack.decode(arrays["vocabulary"].tobytes(), type=list[str])
        sequences._tokens = {token: place for place, token in enumerate(vocabulary)}
        texts, end = arrays["texts"].tobytes(), 0
        numbers, lengths = arrays["text_numbers"].tolist(), arrays["text_lengths"].tolist()
        for number, length in zip(numbers, lengths, strict=True):
            start, end = end, end + _BYTES * length
            sequences._texts[number] = texts[start:end]
        sequences._text_bytes = end
        held = len(sequences._tokens) == len(vocabulary) and len(sequences._texts) == len(numbers)
        require(held and end == len(texts), "tokens, numbers or texts twice, or left over")
        require(bool((arrays["texts"] < len(vocabulary)).all()), "a token without a number")
        return sequences

    def require_points(self, points: BitMap) -> None:
        """Require texts of the points and of no others. Raises ValueError."""
        require(self._texts.keys() == set(points), "texts and points that have one disagree")

    def unknown(self, tokens: Iterable[Value]) -> list[Value]:
        """Return those of the tokens that no text here was ever made of."""
        return [token for token in tokens if token not in self._tokens]

    def _drop_unused(self) -> None:
        """Number the tokens anew without those that no text holds."""
        texts = np.frombuffer(b"".join(self._texts.values()), dtype=np.uint32)
        used = np.zeros(len(self._tokens), dtype=bool)
        used[texts] = True
        self._tokens = {
            token: place for place, token in enumerate(compress(self._tokens, used.tolist()))
        }
        fresh, end = (np.cumsum(used, dtype=np.uint32) - 1)[texts].tobytes(), 0
        for number, text in self._texts.items():
            start, end = end, end + len(text)
            self._texts[number] = fresh[start:end]


def _holds(text: bytes, phrase: bytes) -> bool:
    place = text.find(phrase)
    while place % _BYTES and place >= 0:  # the run of bytes of one token's end and another's start
        place = text.find(phrase, place + 1)
    return place >= 0
