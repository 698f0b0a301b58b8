"""Which point route a path means: two look-ups, for FastAPI's own take as long as a search."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from palimpsest.app.access.table import Right, right_of
from palimpsest.app.context import Call

Endpoint = Callable[[Call], Awaitable[Any]]

PREFIX = "/collections/"


class Found(NamedTuple):
    """The point route of a path."""

    endpoint: Endpoint
    route: str  # its template
    right: Right  # that it asks for
    name: str  # of the collection
    tail: str  # what stands for the open last part of the template


class PointRoutes:
    """The routes below ``PREFIX`` and a collection's name, by method and what follows the name."""

    def __init__(self, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self._whole = {
            (method, suffix): (endpoint, route, right_of(method, route))
            for (method, suffix), endpoint in endpoints.items()
            for route in (f"{PREFIX}{{collection_name}}/{suffix}",)
        }
        # by the part before the one that the template leaves open
        self._open = {
            (method, suffix.partition("/")[0]): found
            for (method, suffix), found in self._whole.items()
            if suffix.endswith("}")
        }

    def find(self, method: str, path: str) -> Found | None:
        """Return the point route of a path, None when it is none."""
        if not path.startswith(PREFIX):
            return None
        name, _, suffix = path[len(PREFIX) :].partition("/")
        found = self._whole.get((method, suffix))
        if found is not None:
            return Found(*found, name, "")
        if suffix.endswith("/"):
            return self.find(method, path.rstrip("/"))
        first, _, tail = suffix.partition("/")
        found = self._open.get((method, first))
        # A point id holds no slash; the path of a payload field may, in quotes.
        if found is not None and tail and ("/" not in tail or first == "index"):
            return Found(*found, name, tail)
        return None
