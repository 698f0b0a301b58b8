"""The collection that an import writes to: made if asked, checked before anything is written."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from palimpsest.app.transfer.client import Client, collection_path
from palimpsest.app.transfer.errors import BadRow, Refused, TransferError, WrongUse
from palimpsest.app.transfer.from_server import ServerReader, indexes_of, without_nulls
from palimpsest.app.transfer.reader import Reader
from palimpsest.app.transfer.shapes import Shape, declaration, require_fit, shape_of

LIMITS = "strict_mode_config"  # set at the end: its limits are for others than imports


class Target:
    """One collection of the server."""

    def __init__(self, client: Client, collection: str) -> None:
        self.client, self.collection = client, collection
        self.path = collection_path(collection)

    def prepare(self, reader: Reader, create: bool, distance: str | None) -> None:
        """Have a collection that takes what a source holds.

        Raises:
            WrongUse: it does not exist and is not to be created, or its distance is not told.
            BadRow: it is to be created, and the first row of the source is no point.
            TransferError: it takes something else.
        """
        info = self.info()
        try:
            shape = reader.shape()
        except BadRow as error:
            if info is None:
                raise BadRow(
                    f"{error}: --create goes by the first {reader.unit}: mend it, or create the "
                    "collection first"
                ) from None
            shape = None  # named, or skipped, once it is read
        if info is None:
            if not create:
                raise WrongUse(
                    f"there is no collection {self.collection!r}: --create makes it, of the size "
                    "that the source has"
                )
            self._create(reader, shape, distance)
            info = self.info()
            assert info is not None
        if shape is not None:
            require_fit(shape, shape_of(info["config"]), self.collection)
        if create and distance is not None:
            _require_distance(info["config"]["params"], distance, self.collection)

    def finish(self, reader: Reader) -> None:
        """Take over the limits of a collection of another server."""
        if isinstance(reader, ServerReader):
            limits = without_nulls(reader.info["config"].get(LIMITS) or {})
            if limits:
                self.client.call("PATCH", self.path, {LIMITS: limits}, repeats=True)

    def upsert(self, body: bytes) -> None:
        """Write points, durably. Raises Refused and Unreachable."""
        self.client.send("PUT", f"{self.path}/points?wait=true", body, repeats=True)

    def holds(self, *ids: int | str) -> bool:
        """Tell whether all of these points are there."""
        different = {*ids}
        body = {"ids": [*different], "with_payload": False, "with_vector": False}
        found = self.client.call("POST", f"{self.path}/points", body, repeats=True)
        return len(found) == len(different)

    def info(self) -> dict[str, Any] | None:
        """Return what the server tells of it, None when there is none."""
        try:
            told: dict[str, Any] = self.client.get(self.path)
        except Refused as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return told

    def _create(self, reader: Reader, shape: Shape | None, distance: str | None) -> None:
        body = reader.declared()
        if body is None:
            if not shape:
                raise WrongUse(
                    f"--create: {reader.name}: its first {reader.unit} does not tell the size of "
                    "its vectors: create the collection first"
                )
            body = declaration(shape, distance)
        try:
            self.client.call("PUT", self.path, body, repeats=True)
        except Refused as error:  # made at an earlier try that was not answered
            if error.status != HTTPStatus.CONFLICT:
                raise
        if isinstance(reader, ServerReader):
            for index in indexes_of(reader.info):
                self.client.call("PUT", f"{self.path}/index?wait=true", index, repeats=True)


def _require_distance(params: dict[str, Any], distance: str, collection: str) -> None:
    dense = params.get("vectors") or {}
    spaces = [dense] if isinstance(dense.get("distance"), str) else dense.values()
    held = {one["distance"] for one in spaces}
    if held - {distance}:
        raise TransferError(
            f"collection {collection!r} exists, with {' and '.join(sorted(held))}: expected "
            f"{distance}, as --distance says"
        )
