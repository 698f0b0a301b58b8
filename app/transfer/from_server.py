"""Reads points from a server that speaks Qdrant's REST dialect, in the order of their ids.

Texts of vectors and payloads go on as they came, so all kinds of vectors do, and no number loses a
digit. Points that are added or changed behind the place that was reached are not seen: who copies a
collection that is written to compares the counts at the end, and copies again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from palimpsest.app.transfer.client import Client, collection_path
from palimpsest.app.transfer.errors import TransferError
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Item, point_row
from palimpsest.app.transfer.shapes import Dense, Sets, Shape, shape_of

PAGE_BYTES = 4 << 20  # of the replies that are asked for, about
MOST, LEAST = 1_000, 16  # points of a page
_DIGITS = 12  # bytes of a number in JSON, about
_SPARSE = 200  # numbers of a sparse vector, about
_SET = 64  # vectors of a set, about
# What is about the data. What else a server tells in its config is about its machine, and stands
# there whether or not anybody chose it.
CARRIED = ("hnsw_config", "quantization_config", "metadata")


class _Record(msgspec.Struct):
    id: int | str
    vector: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    payload: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Page(msgspec.Struct):
    points: list[_Record]
    next_page_offset: int | str | None = None


_PAGE = msgspec.json.Decoder(_Page)


class ServerReader:
    """One collection of a server."""

    unit = "point"
    skipped = 0

    def __init__(self, client: Client, collection: str) -> None:
        self.name = f"{client.url}{collection_path(collection)}"
        self._client, self._path = client, collection_path(collection)
        self.info: dict[str, Any] = client.get(self._path)
        self.total: int | None = self.count()

    def mark(self) -> Any:
        """Return how its vectors are declared now, and by which store, where the server tells.

        Of its points nothing tells.
        """
        info = self._client.get(self._path)
        kept = info.get("palimpsest") or {}
        return [info["config"]["params"].get("vectors"), kept.get("store_id")]

    def shape(self) -> Shape:
        """Return its vector names."""
        return shape_of(self.info["config"])

    def declared(self) -> dict[str, Any]:
        """Return the body that creates one like it, without limits that would stop an import."""
        return declared_by(self.info)

    def count(self) -> int:
        """Return how many points it holds now."""
        held = self._client.call(
            "POST", f"{self._path}/points/count", {"exact": True}, repeats=True
        )
        return int(held["count"])

    def read(self, start: Start, first_id: int) -> Iterator[Item]:
        """Give its points. One that a page ended with may be gone by now: it is where to go on."""
        place = start.rows
        for record in self._records(start.after):
            # A page begins with the point it is asked to begin with, which has been read.
            if record.id != start.after:
                yield point_row(place, record.id, bytes(record.vector), bytes(record.payload))
                place += 1

    def close(self) -> None:
        """Close the connections to the server."""
        self._client.close()

    def _records(self, after: int | str | None) -> Iterator[_Record]:
        limit = page_size(self.shape())
        offset = after
        while True:
            page = self._page(limit, offset)
            yield from page.points
            if page.next_page_offset is None:
                return
            if page.next_page_offset == offset:
                raise TransferError(f"{self.name}: scrolling stands still at point {offset}")
            offset = page.next_page_offset

    def _page(self, limit: int, offset: int | str | None) -> _Page:
        body = {"limit": limit, "offset": offset, "with_payload": True, "with_vector": True}
        text = self._client.send(
            "POST", f"{self._path}/points/scroll", msgspec.json.encode(body), repeats=True
        )
        try:
            return _PAGE.decode(text)
        except msgspec.MsgspecError as error:
            raise TransferError(f"{self.name}: a page of points: {error}") from None


def declared_by(info: dict[str, Any]) -> dict[str, Any]:
    """Return the body that creates a collection like the one that a server told of."""
    config = info["config"]
    params = config["params"]
    body: dict[str, Any] = {
        name: params[name] for name in ("vectors", "sparse_vectors") if params.get(name)
    }
    body.update({name: config[name] for name in CARRIED if config.get(name)})
    told: dict[str, Any] = without_nulls(body)
    return told


def indexes_of(info: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the body that creates each payload index a collection has."""
    return [
        {
            "field_name": field,
            "field_schema": without_nulls(index.get("params") or index["data_type"]),
        }
        for field, index in info.get("payload_schema", {}).items()
    ]


def without_nulls(value: Any) -> Any:
    """Return a JSON value without the fields of its objects that are null."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return value


def page_size(shape: Shape) -> int:
    """Return how many points of a shape to ask for at once."""
    numbers = sum(
        one.size * (_SET if isinstance(one, Sets) else 1)
        if isinstance(one, Dense | Sets)
        else _SPARSE
        for one in shape.values()
    )
    return min(MOST, max(LEAST, PAGE_BYTES // (_DIGITS * max(1, numbers))))
