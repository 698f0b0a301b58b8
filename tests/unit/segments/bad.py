"""Segments made bad on purpose: what a probe is there for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.index import Collection
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments import seal
from palimpsest.index.segments.graph import Graph
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Codes, Distances, Vectors
from tests.points import batch_of

_ADDED = 4_000  # points by one write


def sealed(collection: Collection, base: Vectors) -> Sealed:
    """Return the one segment of some rows, their ids being their places."""
    for start in range(0, len(base), _ADDED):
        some = np.ascontiguousarray(base[start : start + _ADDED])
        collection.upsert(batch_of(list(range(start, start + len(some))), some)).result()
    collection.upkeep.seal()
    assert collection.upkeep.last_error is None
    return only(collection)


def only(collection: Collection) -> Sealed:
    """Return the segment of a collection that has one."""
    [part] = collection.view.vectors[0].sealed
    assert isinstance(part.segment, Sealed)
    return part.segment


def cut(graph: Graph, kept: Callable[[NDArray[np.int64], NDArray[np.int64]], Any]) -> Graph:
    """Return a graph of layer 0 alone, with the links ``kept`` (from, to) is true of."""
    arrays, scalars = graph.arrays(), graph.to_json()
    width, offsets = scalars["width"], arrays["offsets"].astype(np.int64)
    parts = arrays["links"].reshape(-1, width).astype(np.int64)
    to = parts @ 256 ** np.arange(width)
    source = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    left = np.asarray(kept(source, to[: len(source)]), dtype=bool)
    counts = np.bincount(source[left], minlength=len(offsets) - 1)
    arrays["offsets"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    arrays["links"] = np.ascontiguousarray(parts[: len(source)][left].astype(np.uint8).ravel())
    shorter = Graph.from_arrays(scalars, arrays)
    shorter.order = graph.order
    return shorter


def with_links_cut(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    """Have graphs built that fall into so many parts, each without links to the others."""
    build = seal.build

    def built(*args: Any, **kwargs: Any) -> Graph | None:
        graph = build(*args, **kwargs)
        return None if graph is None else cut(graph, lambda a, b: a % parts == b % parts)

    monkeypatch.setattr(seal, "build", built)


def with_random_codes(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    """Have rows encoded with so many bits get the codes of other rows."""
    encode = Encoder.encode_with_errors

    def encoded(self: Encoder, vectors: Vectors) -> tuple[Codes, Distances]:
        rows, errors = encode(self, vectors)
        if self.bits == bits and len(rows) > 1:
            rows = rows[np.random.default_rng(1).permutation(len(rows))]
        return rows, errors

    monkeypatch.setattr(Encoder, "encode_with_errors", encoded)


def clusters(count: int, rows: int, size: int, sd: float = 0.05) -> Vectors:
    """Return tight clusters: chunks of a few documents."""
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((count, 1, size))
    drawn = centres + sd * rng.standard_normal((count, rows, size))
    return drawn.reshape(-1, size).astype(np.float32)
