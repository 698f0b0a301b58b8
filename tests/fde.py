"""Fixed dimensional encodings in plain numpy, token by token as the paper has them, and MaxSim."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.encoding.fde import FdeEncoder
from palimpsest.index.types import Vectors

Side: TypeAlias = Literal["document", "query"]


def encoding(encoder: FdeEncoder, tokens: Vectors, side: Side) -> NDArray[np.float64]:
    """Return the (D,) encoding of a set (t, d): MUVERA section 2, but for what is said below."""
    matrices, config = encoder.matrices, encoder.config
    wide = tokens.astype(np.float64)
    blocks: list[NDArray[np.float64]] = []
    for r in range(config.repetitions):
        # in float32, as a sign may hang on the rounding
        signs = _products(tokens, matrices["hyperplanes"][r]) > 0
        held: list[NDArray[np.float64]] = []
        for block in range(config.partitions):
            bits = np.array([block >> bit & 1 for bit in range(config.k_sim)], dtype=bool)
            differing = (signs != bits).sum(axis=1)
            one = _block(wide, differing, side) / _share(encoder, side)
            held.append(_projected(one, matrices["signs"][r]))
        blocks += held if side == "query" else _apart(held)
    whole = np.concatenate(blocks)
    return _sketch(encoder, whole) if config.final else whole


def _products(tokens: Vectors, planes: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return (t, k_sim) products, each summed in the order of the dimensions."""
    out = np.zeros((len(tokens), len(planes)), dtype=np.float32)
    for dimension in range(tokens.shape[1]):
        out += tokens[:, dimension, None] * planes[:, dimension].astype(np.float32)
    return out


def _projected(block: NDArray[np.float64], signs: NDArray[np.int8]) -> NDArray[np.float64]:
    if len(signs) == 0:
        return block
    return np.asarray(signs.astype(np.float64) @ block / np.sqrt(len(signs)))


def _block(
    tokens: NDArray[np.float64], differing: NDArray[np.int64], side: Side
) -> NDArray[np.float64]:
    inside = tokens[differing == 0]
    if side == "query":
        return np.asarray(inside.sum(axis=0))
    if len(inside) == 0:
        return np.asarray(tokens[differing.argmin()])
    mean = inside.mean(axis=0)
    length = np.linalg.norm(mean)
    # in place of the mean of the paper, one as long as its tokens are
    return np.asarray(mean * np.linalg.norm(inside, axis=1).mean() / length if length else mean)


def _apart(blocks: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return blocks that differ twice as much from their mean, which the paper does not do."""
    mean = np.mean(blocks, axis=0)
    return [2 * block - mean for block in blocks]


def _share(encoder: FdeEncoder, side: Side) -> int:
    return encoder.config.repetitions if side == "document" else 1


def _sketch(encoder: FdeEncoder, whole: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros(encoder.config.final)
    np.add.at(out, encoder.matrices["places"], whole * encoder.matrices["place_signs"])
    return out


def max_sim(query: Vectors, tokens: Vectors) -> float:
    """Return the sum over query tokens of their best product with a token of the document."""
    return float((query.astype(np.float64) @ tokens.T.astype(np.float64)).max(axis=1).sum())


def starts_of(lengths: list[int]) -> NDArray[np.int64]:
    """Return where sets of such lengths start, and the last ends."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
