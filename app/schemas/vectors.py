"""Vectors on the wire: one column at a time, dense ones undecoded until the whole column is read.

A dense vector is a list of numbers or base64 of float32; a sparse one is an object of ``indices``
and ``values``; a multi-vector is a list of lists. Which of these a name takes is declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Annotated, TypeAlias

import msgspec
import numpy as np

from palimpsest.app.errors import Refusal, format_error, out_of_range, wrong_input
from palimpsest.app.schemas.faults import (
    fields_of,
    find_fault,
    is_inference,
    no_inference,
    wrong_kind,
)
from palimpsest.app.schemas.multivectors import is_nested, parse_multi, read_multi
from palimpsest.index import (
    CollectionConfig,
    DimensionMismatch,
    InvalidInput,
    InvalidVector,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    NamedSparse,
    NamedVectors,
    PointId,
    SparseConfig,
    SparseRows,
    SparseVector,
    UnknownVectorName,
    Vector,
    VectorConfig,
    Vectors,
    checked_rows,
    describe_sizes,
    parse_vector,
    parse_vectors,
)

Parsed: TypeAlias = NamedVectors | NamedSparse | NamedMultiVectors
Columns: TypeAlias = Mapping[str, tuple[list[int], list[bytes]]]  # name -> positions, texts
Index: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class SparseBody(msgspec.Struct, forbid_unknown_fields=True):
    """Dimensions that are not zero, in any order, and their values."""

    indices: list[Index]
    values: list[float]


_SPARSE = msgspec.json.Decoder(SparseBody)
_SPARSE_COLUMN = msgspec.json.Decoder(list[SparseBody])


def parse_columns(
    columns: Columns, ids: Sequence[PointId], config: CollectionConfig
) -> dict[str, Parsed]:
    """Return the vectors of a batch by name.

    Args:
        columns: per name the places in the batch, ascending, and the texts of the vectors.
        ids: of the points of the batch, to be named in errors.
        config: what the names are declared as.

    Raises:
        Refusal: a vector is of another kind than declared, or one is given twice, by its bare name
            and by its version.
        InvalidInput: a vector cannot be read; the text names the point.
    """
    # The bare name and that of its version are one column: which of two vectors is meant nobody can
    # tell.
    if any(config.aliases.get(name) in columns for name in columns):
        raise _named_twice(columns, config)
    parsed: dict[str, Parsed] = {}
    for name, (positions, texts) in columns.items():
        of = ids if len(positions) == len(ids) else [ids[p] for p in positions]
        places = np.array(positions, dtype=np.int64)
        declared = config.find(name)
        if declared is None:
            raise _unknown_name(name, of[0], columns, ids, config)
        if isinstance(declared, SparseConfig):
            parsed[name] = NamedSparse(places, _parse_sparse(texts, of))
        elif isinstance(declared, MultiConfig):
            parsed[name] = NamedMultiVectors(places, *parse_multi(texts, of, declared))
        else:
            parsed[name] = NamedVectors(places, _parse_dense(texts, of, name, config))
    return parsed


def read_any(text: bytes) -> Vector | MultiVector:
    """Return the dense vector or the multi-vector a JSON text holds, as it looks."""
    return read_multi(text) if is_nested(text) else read_vector(text)


def read_vector(text: bytes) -> Vector:
    """Return the one dense vector a JSON text holds; other kinds of vectors are refused."""
    if text[:1] == b"{":
        raise wrong_kind(text)
    if is_nested(text):
        raise wrong_input(
            "Conversion between multi and regular vectors failed: expected one vector, got a list "
            "of them"
        )
    if text[:1] not in (b"[", b'"'):
        raise format_error(f"expected a vector, got {text[:40].decode(errors='replace')}")
    return parse_vector(text)


def read_sparse(text: bytes) -> SparseVector:
    """Return the one sparse vector a JSON text holds; other kinds of vectors are refused."""
    if text[:1] != b"{":
        raise wrong_input("Conversion between sparse and regular vectors failed")
    try:
        body = _SPARSE.decode(text)
    except msgspec.ValidationError:
        fields = fields_of(text)
        if is_inference(fields):
            raise no_inference(fields) from None
        raise
    return _rows([body]).vector(0)


def _unknown_name(
    name: str, first: PointId, columns: Columns, ids: Sequence[PointId], config: CollectionConfig
) -> Refusal:
    """Word that a name is not declared; what is wrong with a vector itself comes first.

    Raises:
        Refusal: a sparse vector of any column is malformed, or something is to be embedded.
    """
    if is_inference(columns.keys()):
        raise no_inference(columns.keys())
    for positions, texts in columns.values():
        sparse = [at for at, text in enumerate(texts) if text[:1] == b"{"]
        find_fault(
            [texts[at] for at in sparse],
            [ids[positions[at]] for at in sparse],
            lambda text, _: read_sparse(text),
        )
    error = UnknownVectorName(name, list(config.vectors))
    return wrong_input(f"{error} (point {first})")


def _named_twice(names: Iterable[str], config: CollectionConfig) -> Refusal:
    alias = next(name for name in names if name in config.aliases)
    return wrong_input(
        f"vectors {config.aliases[alias]!r} and {alias!r} are the same one: give it under one name"
    )


def _parse_dense(
    texts: list[bytes], ids: Sequence[PointId], name: str, config: CollectionConfig
) -> Vectors:
    """Parse one column at once; when that fails, one by one to name the point at fault."""
    declared = config.find(name)
    assert isinstance(declared, VectorConfig)
    size = declared.size
    try:
        # One native call for the whole column, which names no point where it fails; then each is
        # read again, slowly, to find the one at fault.
        values = parse_vectors(texts)
        if values.shape[1] == size:
            return values
    except InvalidInput:
        pass

    def check(text: bytes, point_id: PointId) -> None:
        length = len(read_vector(text))
        if length != size:
            hint = describe_sizes(name, config.every_name)
            where = f"point {point_id}" + (f"; {hint}" if hint else "")
            raise DimensionMismatch(size, length, where)

    find_fault(texts, ids, check)
    return parse_vectors(texts)


def _parse_sparse(texts: list[bytes], ids: Sequence[PointId]) -> SparseRows:
    """Parse one column at once; when that fails, one by one to name the point at fault."""
    try:
        bodies = _SPARSE_COLUMN.decode(b"[" + b",".join(texts) + b"]")
        return _rows(bodies)
    except (msgspec.MsgspecError, Refusal):
        pass

    def check(text: bytes, _: PointId) -> None:
        read_sparse(text)

    find_fault(texts, ids, check)
    return _rows([_SPARSE.decode(text) for text in texts])


def _rows(vectors: Sequence[SparseBody]) -> SparseRows:
    """Return sparse vectors as rows, the indices of each ascending. Raises Refusal."""
    lengths = np.array([len(vector.indices) for vector in vectors], dtype=np.int64)
    if any(len(vector.indices) != len(vector.values) for vector in vectors):
        raise out_of_range("vector.values", "must be the same length as indices")
    indptr = np.zeros(len(vectors) + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    total = int(indptr[-1])
    indices = np.fromiter(chain.from_iterable(v.indices for v in vectors), np.uint32, total)
    # As doubles first: a value beyond float32 is to be refused, where a narrower array would make
    # it infinite without a word.
    values = np.fromiter(chain.from_iterable(v.values for v in vectors), np.float64, total)
    with np.errstate(over="ignore"):  # what overflows becomes Inf, which is refused
        rows = SparseRows(indptr, indices, values.astype(np.float32))
    try:
        return checked_rows(rows, str)
    except InvalidVector:
        finite = np.isfinite(rows.values).all()
        reason = "must be unique" if finite else "must be finite as float32"
        raise out_of_range(f"vector.{'indices' if finite else 'values'}", reason) from None
