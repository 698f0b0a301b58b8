"""Two collections that must not be told apart: one of ours, one of the client's local mode.

Two more, the mirrors, are also of the local mode and hold the same points written in other orders.
Where the references disagree, the answer hangs on how ties fall, and nothing is compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

_numbers = count()

# What the local mode raises for a request it refuses; anything else is a crash of it.
REFUSALS = (ValueError, KeyError, NotImplementedError)

Call = Callable[[QdrantClient, str], Any]


@dataclass(frozen=True)
class Refused:
    """A request was refused."""

    text: str
    status: int | None = None


def ask(client: QdrantClient, name: str, call: Call) -> Any:
    """Call, and give back the answer or the refusal; a 5xx or a crash is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the local mode's own limits
        try:
            return call(client, name)
        except UnexpectedResponse as error:
            if error.status_code is None or not 400 <= error.status_code < 500:
                raise
            return Refused(error.content.decode(), error.status_code)
        except ValidationError:
            raise
        except REFUSALS as error:
            return Refused(repr(error))


class Twins:
    """The same collection, four times."""

    def __init__(self, ours: QdrantClient, theirs: QdrantClient, **config: Any) -> None:
        self.name = f"twins{next(_numbers)}"
        self.ours = ours
        self.theirs = theirs
        self.mirrors = (f"{self.name}-mirror", f"{self.name}-second-mirror")
        ours.create_collection(self.name, **config)
        for name in (self.name, *self.mirrors):
            theirs.create_collection(name, **config)

    def fill(self, points: Sequence[models.PointStruct]) -> None:
        """Write the first points."""
        self.ours.upsert(self.name, list(points))
        self.theirs.upsert(self.name, list(points))
        half = len(points) // 2
        turned = [*points[half:], *points[:half]]
        for name, order in zip(self.mirrors, (points[::-1], turned), strict=True):
            self.theirs.upsert(name, list(order))

    def index(self, fields: dict[str, Any]) -> None:
        """Create payload indexes in ours; the local mode has none."""
        for field, schema in fields.items():
            self.ours.create_payload_index(self.name, field, schema)

    def both(self, call: Call) -> tuple[Any, Any]:
        """Return our answer and theirs."""
        return ask(self.ours, self.name, call), ask(self.theirs, self.name, call)

    def mirrored(self, call: Call) -> list[Any]:
        """Return the mirrors' answers."""
        return [ask(self.theirs, name, call) for name in self.mirrors]

    def drop(self) -> None:
        self.ours.delete_collection(self.name)
        for name in (self.name, *self.mirrors):
            self.theirs.delete_collection(name)


@contextmanager
def twins(ours: QdrantClient, theirs: QdrantClient, **config: Any) -> Iterator[Twins]:
    """Twins for the length of a block."""
    pair = Twins(ours, theirs, **config)
    try:
        yield pair
    finally:
        pair.drop()
