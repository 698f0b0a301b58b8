"""Random numbers whose stream never changes: SplitMix64, and what whole numbers are made of it.

What is drawn here gives stored bytes their meaning and is drawn again from a seed at every opening.
numpy may change what its generators draw from one release to the next, and a logarithm or cosine
may round otherwise on another machine; here are whole numbers alone, so nothing rounds.
(Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST = np.uint64(31)


def words(seed: int, count: int) -> NDArray[np.uint64]:
    """Return the first ``count`` outputs of SplitMix64 from a seed of 64 bits."""
    with np.errstate(over="ignore"):  # modulo 2**64 is meant
        x = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * _GAMMA
        for shift, factor in _ROUNDS:
            x = (x ^ (x >> shift)) * factor
    return x ^ (x >> _LAST)


def stream(seed: int, number: int) -> int:
    """Return the seed of one of several streams of a seed, which share nothing.

    States of SplitMix64 are one long cycle, and seeds places on it: near ones would overlap.
    """
    first = int(words(seed, 1)[0])
    return int(words(first ^ number, 1)[0])


def signs(seed: int, count: int) -> NDArray[np.int8]:
    """Return ``count`` random signs, -1 or 1: the bits of the words, lowest first."""
    octets = words(seed, -(-count // 64)).astype("<u8").view(np.uint8)
    bits = np.unpackbits(octets, count=count, bitorder="little").astype(np.int8)
    return 2 * bits - 1


def bells(seed: int, count: int) -> NDArray[np.int8]:
    """Return ``count`` whole numbers, normally distributed but for rounding, deviation 4.

    Each is how many of 64 random bits are set, less 32. A sum of many such numbers, which is what
    a hyperplane makes of a vector, is as good as one of normal numbers.
    """
    set_bits: NDArray[np.uint8] = np.bitwise_count(words(seed, count))
    return set_bits.astype(np.int8) - np.int8(32)


def below(limit: int, seed: int, count: int) -> NDArray[np.uint32]:
    """Return ``count`` whole numbers from 0 to ``limit`` - 1, each as likely (but for 2**-32)."""
    high = words(seed, count) >> np.uint64(32)
    return ((high * np.uint64(limit)) >> np.uint64(32)).astype(np.uint32)
