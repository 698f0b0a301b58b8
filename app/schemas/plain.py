"""Plain queries, and what their texts mean but for their vectors.

Most of a body is one array of numbers. It is cut out and read on its own, so that it is not walked
over twice. What stands around it programs send over and over: it is read once, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np

from palimpsest.app.schemas.selectors import PayloadSelector
from palimpsest.index import CollectionConfig, InvalidVector, SearchRequest, parse_vector

# Stands for the vector that was cut out of a body; no body that holds it is cut.
MARK = b"0.5772156649015328606065120900824024e-307"
ANY_VECTOR = np.empty(0, dtype=np.float32)  # stands for it in what is remembered

_MOST = 512
_LONGEST = 1_024  # bytes around a vector
_BEGINNINGS = b"-0123456789 \t\r\n]"  # of what stands behind the bracket of a vector


class Query(NamedTuple):
    """One search by a vector or an id: what the engine is asked, how its answer is written."""

    request: SearchRequest
    select: PayloadSelector
    similarity: bool


class Cut(NamedTuple):
    """A query of ``ANY_VECTOR``, and from where to where in its text the vector stands."""

    query: Query
    start: int
    stop: int


class _Known(NamedTuple):
    config: CollectionConfig
    query: Query


class PlainQueries:
    """Queries of one sort of body. Used by any thread: nothing is changed but whole entries."""

    def __init__(self, read: Callable[[bytes, CollectionConfig], Query | None]) -> None:
        """Take what reads a body with ``MARK`` for its vector as a query of ``ANY_VECTOR``.

        It returns None for a body that is no plain query by just that vector.
        """
        self._read = read
        # The id of a config is no other's while the config is kept here.
        self._known: dict[tuple[int, bytes, bytes], _Known] = {}

    def find(self, text: bytes, config: CollectionConfig) -> Query | None:
        """Return the query a body asks for, None where it is to be read the plain way.

        Raises what ``read`` does, but for bodies that cannot be read.
        """
        cut = self.cut(text, config)
        if cut is None:
            return None
        try:
            vector = parse_vector(text[cut.start : cut.stop])
        except InvalidVector:
            return None  # the plain way words the error
        request, select, similarity = cut.query
        return Query(SearchRequest._make((vector, *request[1:])), select, similarity)

    def cut(self, text: bytes, config: CollectionConfig) -> Cut | None:
        """Return the same without reading the vector, which may be none; raises as ``find``.

        The very same query is returned for texts that differ in their vectors alone.
        """
        start = text.find(b"[")
        stop = text.find(b"]", start) + 1
        if not 0 <= start < stop or text[start + 1] not in _BEGINNINGS:
            return None
        around = id(config), text[:start], text[stop:]
        known = self._known.get(around)
        if known is None:
            try:
                query = None if MARK in text else self._read(_marked(around), config)
            except (InvalidVector, msgspec.MsgspecError):
                return None  # the plain way words the error
            if query is None:
                return None
            known = self._remember(around, _Known(config, query))
        return Cut(known.query, start, stop)

    def _remember(self, around: tuple[int, bytes, bytes], known: _Known) -> _Known:
        if len(around[1]) + len(around[2]) <= _LONGEST:
            if len(self._known) >= _MOST:
                self._known.clear()  # those in use come back with their next query
            self._known[around] = known
        return known


def _marked(around: tuple[int, bytes, bytes]) -> bytes:
    return around[1] + MARK + around[2]
