"""What a query is about, on the wire: a vector of any kind, or the id of a stored point."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from palimpsest.app.errors import format_error, wrong_input
from palimpsest.app.schemas.documents import ref
from palimpsest.app.schemas.faults import is_inference, no_inference
from palimpsest.app.schemas.ids import is_uuid, parse_id
from palimpsest.app.schemas.vectors import read_any, read_sparse, read_vector
from palimpsest.app.spelling import ABSENT, SPARSE
from palimpsest.index import InvalidInput, PointId, SparseVector, Vector, queries

AnyTarget: TypeAlias = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=ref("Target"))]

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SHOWN = 60  # characters of a wrong value that its refusal repeats


def to_target(text: bytes, where: str = "query") -> queries.Target:
    """Return what a JSON text names.

    A string is an id when it is a UUID, and base64 otherwise; 32 hexadecimal digits are a UUID.

    Raises:
        Refusal: the text is none of these, or of a kind that is not supported.
        InvalidInput: the vector or the id cannot be read.
    """
    first = text[:1]
    if first == b"[":
        return read_any(text)
    if first == b'"':
        return _from_string(text, where)
    if first == b"{":
        return _from_object(text, where)
    if text in ABSENT:
        raise format_error(f"{where}: expected a vector or an id, got null")
    try:
        return parse_id(msgspec.json.decode(text, type=int))
    except msgspec.ValidationError:
        shown = text[:_SHOWN].decode(errors="replace")
        raise format_error(f"{where}: expected a vector or an id, got {shown}") from None


def _from_string(text: bytes, where: str) -> Vector | PointId:
    string = msgspec.json.decode(text, type=str)
    # Before base64: 32 hexadecimal digits are both, and ids are what clients send as text.
    if is_uuid(string):
        return parse_id(string)
    try:
        return read_vector(text)
    except InvalidInput as error:
        raise wrong_input(
            f"{where}: {string[:_SHOWN]!r} is neither a UUID nor a base64 float32 vector ({error})"
        ) from None


def _from_object(text: bytes, where: str) -> SparseVector:
    fields = _OBJECT.decode(text).keys()
    if fields >= SPARSE:
        return read_sparse(text)
    if is_inference(fields):
        raise no_inference(fields)
    raise format_error(
        f"{where}: expected a vector, an id or an object of `indices` and `values`, "
        f"got the fields {', '.join(sorted(fields)) or 'none'}"
    )
