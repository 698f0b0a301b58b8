"""Changes of stored points on the wire: bodies of every write to what the engine is to do.

A write names its points by id or by a filter. Everything about a body that can be wrong is found
before the engine is asked, so that of several operations none begins when one cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec

from palimpsest.app.errors import format_error, out_of_range, wrong_input
from palimpsest.app.schemas.documents import AnyFilter, AnyPayload
from palimpsest.app.schemas.filters import decode_filter
from palimpsest.app.schemas.ids import parse_ids
from palimpsest.app.schemas.points import (
    PointVectorsBody,
    UpsertBody,
    read_payload,
    refuse_clauses,
    to_batch,
    to_vectors,
)
from palimpsest.app.spelling import ABSENT
from palimpsest.index import Collection, CollectionConfig, Filter, PointBatch, Selection, parse_path

Begin: TypeAlias = Callable[[Collection], Future[int]]


class SelectionBody(msgspec.Struct, forbid_unknown_fields=True):
    """Points by id, or by a filter: exactly one of the two."""

    points: list[int | str] | None = None
    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    shard_key: Any = None


class SetPayloadBody(SelectionBody, kw_only=True, forbid_unknown_fields=True):
    """Fields to set, at the top of payloads or below ``key``."""

    payload: AnyPayload
    key: str | None = None


class DeletePayloadBody(SelectionBody, kw_only=True, forbid_unknown_fields=True):
    """Paths to delete from payloads."""

    keys: list[str]


class UpdateVectorsBody(msgspec.Struct, forbid_unknown_fields=True):
    """New vectors of points that exist."""

    points: list[PointVectorsBody]
    shard_key: Any = None
    update_filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)


class DeleteVectorsBody(SelectionBody, kw_only=True, forbid_unknown_fields=True):
    """Names of vectors to delete from points."""

    vector: list[str]


class OperationBody(msgspec.Struct, forbid_unknown_fields=True):
    """One of several writes: exactly one of these."""

    upsert: UpsertBody | None = None
    delete: SelectionBody | None = None
    set_payload: SetPayloadBody | None = None
    overwrite_payload: SetPayloadBody | None = None
    delete_payload: DeletePayloadBody | None = None
    clear_payload: SelectionBody | None = None
    update_vectors: UpdateVectorsBody | None = None
    delete_vectors: DeleteVectorsBody | None = None


class OperationsBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/batch``: writes, carried out in order."""

    operations: Annotated[list[OperationBody], msgspec.Meta(description="in this order")]


class Update(NamedTuple):
    """A decoded write.

    ``begin`` queues it; ``batch`` holds the points it brings along and ``selected`` is how many it
    names by id; ``filter`` is what it asks of stored points.
    """

    begin: Begin
    batch: PointBatch | None = None
    selected: int = 0
    filter: Filter | None = None
    upserts: bool = False
    deletes: bool = False
    writes_payload: bool = False

    @property
    def adds(self) -> bool:
        """Whether it brings vectors or payloads."""
        return self.batch is not None or self.writes_payload


def to_upsert(body: UpsertBody, config: CollectionConfig) -> Update:
    """Return an upsert. Raises Refusal or InvalidInput, as the others below do."""
    batch = to_batch(body, config)
    mode, condition = body.update_mode or "upsert", _filter(body.update_filter)

    def begin(collection: Collection) -> Future[int]:
        return collection.upsert(batch, mode=mode, condition=condition)

    return Update(begin, batch, filter=condition, upserts=True, writes_payload=True)


def to_deletion(body: SelectionBody, config: CollectionConfig) -> Update:
    """Return a deletion of whole points."""
    selection = _selection(body)

    def begin(collection: Collection) -> Future[int]:
        return collection.delete(selection)

    return _selected(begin, selection)._replace(deletes=True)


def to_payload(body: SetPayloadBody, config: CollectionConfig) -> Update:
    """Return what sets fields of payloads."""
    selection = _selection(body)
    at = () if body.key is None else parse_path(body.key)
    payload = _payload(body, len(at))

    def begin(collection: Collection) -> Future[int]:
        return collection.set_payload(selection, payload, at)

    return _selected(begin, selection)._replace(writes_payload=True)


def to_overwriting(body: SetPayloadBody, config: CollectionConfig) -> Update:
    """Return what replaces whole payloads."""
    if body.key is not None:
        raise wrong_input("`key`: whole payloads are overwritten; set the payload to use it")
    selection, payload = _selection(body), _payload(body)

    def begin(collection: Collection) -> Future[int]:
        return collection.overwrite_payload(selection, payload)

    return _selected(begin, selection)._replace(writes_payload=True)


def to_payload_deletion(body: DeletePayloadBody, config: CollectionConfig) -> Update:
    """Return what deletes fields of payloads."""
    selection = _selection(body)
    paths = [parse_path(key) for key in body.keys]

    def begin(collection: Collection) -> Future[int]:
        return collection.delete_payload(selection, paths)

    return _selected(begin, selection)


def to_clearing(body: SelectionBody, config: CollectionConfig) -> Update:
    """Return what empties payloads."""
    selection = _selection(body)

    def begin(collection: Collection) -> Future[int]:
        return collection.clear_payload(selection)

    return _selected(begin, selection)


def to_vector_update(body: UpdateVectorsBody, config: CollectionConfig) -> Update:
    """Return what replaces vectors of points."""
    refuse_clauses(body, "shard_key")
    if not body.points:
        raise out_of_range("points", "must specify points to update")
    batch, condition = to_vectors(body.points, config), _filter(body.update_filter)

    def begin(collection: Collection) -> Future[int]:
        return collection.update_vectors(batch, condition=condition)

    return Update(begin, batch, filter=condition)


def to_vector_deletion(body: DeleteVectorsBody, config: CollectionConfig) -> Update:
    """Return what deletes vectors of points."""
    selection = _selection(body)
    if not body.vector:
        raise out_of_range("vector", "must specify vector names to delete")

    def begin(collection: Collection) -> Future[int]:
        return collection.delete_vectors(selection, body.vector)

    return _selected(begin, selection)


def to_updates(body: OperationsBody, config: CollectionConfig) -> list[Update]:
    """Return all operations, in order. Raises Refusal or InvalidInput when one is wrong."""
    # All are read before the first is carried out: a batch with one wrong operation changes
    # nothing.
    return [_to_update(each, place, config) for place, each in enumerate(body.operations)]


_KINDS: dict[str, Callable[[Any, CollectionConfig], Update]] = {
    "upsert": to_upsert,
    "delete": to_deletion,
    "set_payload": to_payload,
    "overwrite_payload": to_overwriting,
    "delete_payload": to_payload_deletion,
    "clear_payload": to_clearing,
    "update_vectors": to_vector_update,
    "delete_vectors": to_vector_deletion,
}


def _to_update(body: OperationBody, place: int, config: CollectionConfig) -> Update:
    given = [kind for kind in _KINDS if getattr(body, kind) is not None]
    if len(given) != 1:
        raise format_error(f"operations[{place}]: expected exactly one of {', '.join(_KINDS)}")
    return _KINDS[given[0]](getattr(body, given[0]), config)


def _selection(body: SelectionBody) -> Selection:
    refuse_clauses(body, "shard_key")
    condition = _filter(body.filter)
    if (body.points is None) == (condition is None):
        raise format_error("expected either `points` or `filter`")
    if condition is not None:
        return condition
    if not body.points:
        raise wrong_input("Empty update request: no points given")
    return parse_ids(body.points)


def _selected(begin: Begin, selection: Selection) -> Update:
    if isinstance(selection, Filter):
        return Update(begin, filter=selection)
    return Update(begin, selected=len(selection))


def _filter(raw: msgspec.Raw) -> Filter | None:
    return None if bytes(raw) in ABSENT else decode_filter(raw)


def _payload(body: SetPayloadBody, above: int = 0) -> bytes:
    payload = read_payload(bytes(body.payload), above=above)
    if payload is None:
        raise format_error("payload: expected an object, got null")
    return payload
