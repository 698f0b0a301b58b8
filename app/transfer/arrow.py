"""Columns of Arrow as the JSON texts that the server reads; pyarrow is loaded only when needed.

Everything that JSON has no word for becomes text or a number that loses nothing: moments are RFC
3339, decimals are numbers with all their digits, bytes are base64. NaN and Inf have none, and are
refused.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from palimpsest.app.spelling import SPARSE as SPARSE_FIELDS
from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.mapping import Mapping
from palimpsest.app.transfer.numbers import set_text
from palimpsest.app.transfer.rows import dense_text
from palimpsest.app.transfer.shapes import Dense, Sets, Sparse

EXTRA = "parquet"  # of this package: what installs pyarrow
NOT_FINITE = "a number is NaN or Inf, or too large for float32"
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def needed(path: Path) -> tuple[Any, Any]:
    """Return pyarrow and its module for Parquet. Raises WrongUse where they are not installed."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise WrongUse(
            f"{path}: Parquet needs pyarrow: pip install 'palimpsest-server[{EXTRA}]' ({error})"
        ) from error


def vector_kind(arrow_type: Any) -> type[Dense | Sets | Sparse] | None:
    """Return which kind of vector a column of this type can be."""
    types = importlib.import_module("pyarrow.types")
    held = _storage_type(arrow_type)
    if types.is_struct(held):
        return Sparse if {field.name for field in held} == SPARSE_FIELDS else None
    if not _is_list(held, types):
        return None
    inner = _storage_type(held.value_type)
    if types.is_floating(inner) or types.is_integer(inner):
        return Dense
    if _is_list(inner, types) and types.is_floating(inner.value_type):
        return Sets
    return None


def size_of_lists(arrow_type: Any) -> int | None:
    """Return how long all lists of a type are, None where it does not tell."""
    held = _storage_type(arrow_type)
    fixed = importlib.import_module("pyarrow.types").is_fixed_size_list(held)
    return int(held.list_size) if fixed else None


def looks_like_vector(arrow_type: Any) -> bool:
    """Tell whether a column is taken for a vector unasked: lists of integers rather are tags."""
    types = importlib.import_module("pyarrow.types")
    held = _storage_type(arrow_type)
    kind = vector_kind(held)
    return kind is not None and (kind is not Dense or types.is_floating(held.value_type))


def ids_of(column: Any) -> list[int | str]:
    """Return the ids of a column. Raises ValueError where one is missing."""
    held: list[Any] = column.to_pylist()
    if column.null_count:
        raise ValueError("the id is null")
    return [_id_of(each) for each in held]


def _id_of(value: Any) -> int | str:
    if type(value) is int:
        return value
    # UUIDs are 16 bytes where a writer does not say that they are UUIDs
    return str(UUID(bytes=value) if type(value) is bytes else value)


def vector_texts(column: Any, name: str) -> list[bytes | None]:
    """Return the JSON of each vector of a column, None where it is null.

    Raises:
        ValueError: a vector holds a null or no finite number, or dense ones are not of one length.
    """
    kind = vector_kind(column.type)
    column = getattr(column, "storage", column)
    if kind is Dense:
        texts = iter(_dense_texts(column.drop_null(), name))
    elif kind is Sets:
        texts = (set_text(_matrix(each.values, name)) for each in column.drop_null())
    else:
        texts = (_sparse_text(each, name) for each in column.drop_null().to_pylist())
    if not column.null_count:
        return [*texts]
    return [next(texts) if valid else None for valid in column.is_valid().to_pylist()]


def payload_texts(block: Any, mapping: Mapping) -> list[bytes]:
    """Return the JSON of each payload of a block of rows, empty where there is none.

    Raises:
        ValueError: a number is NaN or Inf, a moment is beyond what a calendar has, or a text that
            should be a JSON object is none.
    """
    if mapping.payload_json is not None:
        return [_object(text) for text in block.column(mapping.payload_json).to_pylist()]
    if not mapping.payload:
        return [b""] * int(block.num_rows)
    names = mapping.payload
    columns = [_values(block.column(name), name) for name in names]
    return [
        _ENCODER.encode(dict(zip(names, values, strict=True)))
        for values in zip(*columns, strict=True)
    ]


def _dense_texts(column: Any, name: str) -> list[bytes]:
    return [dense_text(values.data) for values in _matrix(column, name)] if len(column) else []


def _matrix(column: Any, name: str) -> Any:
    """Return (n, d) float32 of a column of n lists without nulls. Raises ValueError."""
    column = getattr(column, "storage", column)
    compute = importlib.import_module("pyarrow.compute")
    sizes = compute.unique(compute.list_value_length(column))
    if column.null_count or len(sizes) != 1 or not sizes[0].as_py():
        raise ValueError(f"{name}: expected vectors of one length, got lengths {sizes.to_pylist()}")
    flat = column.flatten()
    if flat.null_count:
        raise ValueError(f"{name}: a number of the vector is null")
    with np.errstate(over="ignore"):  # what overflows becomes Inf, which is refused
        values = np.ascontiguousarray(flat.to_numpy(zero_copy_only=False), dtype="<f4")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: {NOT_FINITE}")
    return values.reshape(len(column), sizes[0].as_py())


def _sparse_text(vector: dict[str, Any], name: str) -> bytes:
    indices, values = vector["indices"], vector["values"]
    if indices is None or values is None or None in indices or None in values:
        raise ValueError(f"{name}: indices or values of the sparse vector hold a null")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{name}: {NOT_FINITE}")
    return msgspec.json.encode({"indices": indices, "values": values})


def _object(text: str | None) -> bytes:
    if text is None:
        return b""
    encoded = text.encode()
    try:
        _OBJECT.decode(encoded)
    except msgspec.MsgspecError as error:
        raise ValueError(f"payload: expected a JSON object: {error}") from None
    return encoded


def _values(column: Any, name: str) -> list[Any]:
    """Return the values of a payload column, of types that JSON has. Raises ValueError."""
    arrow = importlib.import_module("pyarrow")
    compute = importlib.import_module("pyarrow.compute")
    types = arrow.types
    column = getattr(column, "storage", column)
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    column = column.cast(_plain(column.type, arrow))
    if types.is_timestamp(column.type):
        column = compute.replace_substring(column.cast(arrow.string()), " ", "T")
    values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    # As Arrow's own check does not look into structs and lists.
    if _may_be_nan(column.type, types) and not all(map(_is_finite, values)):
        raise ValueError(f"{name}: a number is NaN or Inf, which JSON does not have")
    return values


def _plain(held: Any, arrow: Any) -> Any:
    """Return the type to read a column as: moments in UTC, inside of others by microseconds.

    Zones need a database that small machines lack, and Python's moments end at microseconds.
    """
    types = arrow.types

    def inner(one: Any) -> Any:
        if types.is_timestamp(one) and one.unit == "ns":
            return arrow.timestamp("us", "UTC" if one.tz else None)
        return _plain(one, arrow)

    if types.is_timestamp(held):
        return arrow.timestamp(held.unit, "UTC") if held.tz else held
    if types.is_struct(held):
        return arrow.struct([field.with_type(inner(field.type)) for field in held])
    if types.is_fixed_size_list(held):
        return arrow.list_(inner(held.value_type), held.list_size)
    if types.is_large_list(held):
        return arrow.large_list(inner(held.value_type))
    if types.is_list(held):
        return arrow.list_(inner(held.value_type))
    return held


def _may_be_nan(held: Any, types: Any) -> bool:
    if types.is_nested(held):
        return any(_may_be_nan(held.field(at).type, types) for at in range(held.num_fields))
    return bool(types.is_floating(held))


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list) or all(map(_is_finite, value))


def _is_list(held: Any, types: Any) -> bool:
    return bool(types.is_list(held) or types.is_large_list(held) or types.is_fixed_size_list(held))


def _storage_type(held: Any) -> Any:
    """Return the type below one that only gives it a meaning, such as that of tensors."""
    return getattr(held, "storage_type", held)
