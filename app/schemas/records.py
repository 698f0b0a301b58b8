"""Reading and counting points on the wire: bodies, and records as JSON text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from palimpsest.app.schemas.documents import AnyFilter, AnyPayload, AnyVector
from palimpsest.app.schemas.kinds import OrderByInput
from palimpsest.app.schemas.selectors import PayloadSelector, WithPayload, WithVector
from palimpsest.index import PointId, PointVector, Record, format_set, format_vector

UpdateStatus: TypeAlias = Literal["acknowledged", "completed", "wait_timeout"]


class RetrieveBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points``."""

    ids: list[int | str]
    with_payload: WithPayload = None
    with_vector: WithVector = None
    shard_key: Any = None


class ScrollBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/scroll``."""

    offset: int | str | None = None
    limit: int | None = None
    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    order_by: str | OrderByInput | None = None
    with_payload: WithPayload = None
    with_vector: WithVector = None
    shard_key: Any = None


class CountBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST points/count``."""

    filter: AnyFilter = msgspec.field(default_factory=msgspec.Raw)
    exact: bool | None = None
    shard_key: Any = None


class RecordReply(msgspec.Struct, omit_defaults=True):
    """A point as it is sent."""

    id: PointId
    payload: AnyPayload | msgspec.UnsetType = msgspec.UNSET
    vector: AnyVector | msgspec.UnsetType = msgspec.UNSET
    order_value: int | float | msgspec.UnsetType = msgspec.UNSET


class ScrollReply(msgspec.Struct):
    """A page of points, and the id to continue from."""

    points: list[RecordReply]
    next_page_offset: PointId | None


class CountReply(msgspec.Struct):
    """How many points there are."""

    count: int


class UpdateReply(msgspec.Struct):
    """What became of a write."""

    operation_id: int | None
    status: UpdateStatus


def to_replies(
    records: Iterable[Record], select: PayloadSelector, with_vectors: bool | tuple[str, ...]
) -> list[RecordReply]:
    """Return records as they are sent, payload and vectors as asked."""
    return [to_reply(record, select, with_vectors) for record in records]


def to_reply(
    record: Record, select: PayloadSelector, with_vectors: bool | tuple[str, ...]
) -> RecordReply:
    """Return one record as it is sent, payload and vectors as asked."""
    reply = RecordReply(record.id)
    if select.wanted:
        reply.payload = select(record.payload)
    if with_vectors is not False:
        reply.vector = format_vectors(record.vectors)
    return reply


def format_vectors(vectors: Mapping[str, PointVector] | None) -> msgspec.Raw:
    """Return a point's vectors as JSON: a lone unnamed one bare, otherwise a map by name."""
    if not vectors:
        return msgspec.Raw(b"{}")
    if len(vectors) == 1 and "" in vectors:
        return _format(vectors[""])
    return msgspec.Raw(msgspec.json.encode({name: _format(v) for name, v in vectors.items()}))


def _format(vector: PointVector) -> msgspec.Raw:
    if isinstance(vector, np.ndarray):
        return msgspec.Raw(format_vector(vector))
    shown = vector.to_json()
    return msgspec.Raw(msgspec.json.encode(shown, enc_hook=_array))


def _array(array: Any) -> Any:
    """Return an array as it is sent: numbers of float32 as short as they can be."""
    if array.dtype == np.float32 and array.ndim == 1:
        return msgspec.Raw(format_vector(array))
    if array.dtype == np.float32 and array.ndim == 2:
        return msgspec.Raw(format_set(array))
    return [*array] if array.ndim > 1 else array.tolist()
