"""Reads points from the rows of a Parquet file, a block of each row group at a time.

Dense vectors are lists of numbers, fixed or not; sets are lists of such lists; sparse vectors are
structs of ``indices`` and ``values``. Whole blocks become arrays where all is well; where a block
cannot be, its rows are taken one by one, so that the one at fault is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from palimpsest.app.transfer.arrow import (
    ids_of,
    looks_like_vector,
    needed,
    payload_texts,
    size_of_lists,
    vector_kind,
    vector_texts,
)
from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.files import file_mark
from palimpsest.app.transfer.mapping import Mapping, Wished, resolve
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, named_text, point_row
from palimpsest.app.transfer.shapes import Dense, Sets, Shape, Sparse

BLOCK = 2_048  # rows that are read at once
METADATA = b"palimpsest"  # the key under which an export says what its columns are
FORMAT = 1  # of what stands there


class ParquetReader:
    """Rows of one Parquet file."""

    unit = "row"
    skipped = 0

    def __init__(self, path: Path, wished: Wished) -> None:
        self.name = str(path)
        self._path = path
        self._arrow, self._parquet = needed(path)
        try:
            self._file = self._parquet.ParquetFile(path, page_checksum_verification=True)
        except (OSError, self._arrow.ArrowException) as error:
            raise WrongUse(f"{path}: expected a Parquet file: {error}") from error
        self.total: int | None = self._file.metadata.num_rows
        self._schema = self._file.schema_arrow
        self._told = _told(self._schema.metadata, path)
        self._mapping = mapping = self._mapped(wished)
        held = [mapping.id, mapping.payload_json, *mapping.vectors, *mapping.payload]
        self._columns = [column for column in held if column is not None]
        self._check_ids()

    def mark(self) -> Any:
        """Return the file's size and age."""
        return file_mark(self._path)

    def shape(self) -> Shape:
        """Return its vectors; sizes that types do not tell are those of the first row with one.

        Of a name that has no vector in any row nothing is told.
        """
        kinds = {name: self._kind(column) for column, name in self._mapping.vectors.items()}
        return {name: kind for name, kind in kinds.items() if kind is not None}

    def declared(self) -> dict[str, Any] | None:
        """Return what an export wrote down of the collection."""
        body: dict[str, Any] | None = self._told.get("collection")
        return body

    def read(self, start: Start, first_id: int) -> Iterator[Item]:
        """Give one point a row."""
        place = 0
        for group in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if place + rows > start.rows:
                for block in self._blocks(group):
                    skip = min(max(0, start.rows - place), block.num_rows)
                    if skip < block.num_rows:
                        yield from self._rows(block.slice(skip), place + skip, first_id)
                    place += block.num_rows
            else:
                place += rows

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _blocks(self, group: int) -> Iterator[Any]:
        try:
            yield from self._file.iter_batches(
                BLOCK, row_groups=[group], columns=self._columns, use_threads=False
            )
        except (OSError, self._arrow.ArrowException) as error:
            raise TransferError(f"{self.name}: row group {group}: {error}") from error

    def _rows(self, block: Any, place: int, first_id: int) -> Iterator[Item]:
        try:
            yield from list(self._points(block, place, first_id))
        # KeyError: a map that has a key twice, which is no JSON object
        except (
            ValueError,
            OverflowError,
            TypeError,
            KeyError,
            self._arrow.ArrowException,
        ) as error:
            why = error.args[0] if isinstance(error, KeyError) else error
            if block.num_rows == 1:
                yield Fault(place, str(why), _shown(block))
                return
            for offset in range(block.num_rows):
                yield from self._rows(block.slice(offset, 1), place + offset, first_id)

    def _points(self, block: Any, place: int, first_id: int) -> Iterator[Item]:
        mapping = self._mapping
        ids: Iterable[int | str] = range(first_id + place, first_id + place + block.num_rows)
        if mapping.id is not None:
            ids = ids_of(block.column(mapping.id))
        columns = {
            name: vector_texts(block.column(column), column)
            for column, name in mapping.vectors.items()
        }
        payloads = payload_texts(block, mapping)
        only = columns[""] if [*columns] == [""] else None
        for offset, point_id in enumerate(ids):
            if only is not None:
                vector = only[offset] or b"{}"
            else:
                held = {name: texts[offset] for name, texts in columns.items()}
                vector = named_text({n: text for n, text in held.items() if text is not None})
            yield point_row(place + offset, point_id, vector, payloads[offset])

    def _kind(self, column: str) -> Dense | Sets | Sparse | None:
        field = self._schema.field(column)
        kind = vector_kind(field.type)
        if kind is Sparse:
            return Sparse()
        if kind is None:
            raise WrongUse(
                f"{self.name}: column {column!r} is {field.type}: expected lists of numbers, lists "
                "of those, or structs of indices and values"
            )
        told = size_of_lists(field.type)
        if kind is Dense and told:
            return Dense(told)
        for block in self._file.iter_batches(BLOCK, columns=[column], use_threads=False):
            # by name: Parquet gives what stands below others by the beginnings of their names
            for value in block.column(column):
                held = value.as_py()
                if held and kind is Dense:
                    return Dense(len(held))
                if held and held[0]:
                    return Sets(len(held[0]))
        return None

    def _mapped(self, wished: Wished) -> Mapping:
        names = self._schema.names
        if len({*names}) < len(names):
            raise WrongUse(f"{self.name}: expected columns of different names, got {names}")
        told = self._told.get("mapping")
        if wished.is_empty and told is not None:
            return Mapping(told["id"], told["vectors"], (), told["payload"])
        likely = [field.name for field in self._schema if looks_like_vector(field.type)]
        return resolve(wished, names, likely)

    def _check_ids(self) -> None:
        if self._mapping.id is None:
            return
        types, held = self._arrow.types, self._schema.field(self._mapping.id).type
        held = getattr(held, "storage_type", held)
        readable = (types.is_integer, types.is_string, types.is_large_string)
        if not any(is_it(held) for is_it in readable) and held != self._arrow.binary(16):
            raise WrongUse(
                f"{self.name}: ids in column {self._mapping.id!r} are {held}: expected integers or "
                "text (UUIDs)"
            )


def _told(metadata: dict[bytes, bytes] | None, path: Path) -> dict[str, Any]:
    """Return what an export wrote down about the file."""
    text = (metadata or {}).get(METADATA)
    if text is None:
        return {}
    try:
        told: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise TransferError(f"{path}: what it says of its columns: {error}") from error
    if told.get("format") != FORMAT:
        raise TransferError(
            f"{path}: expected format {FORMAT} of exports, got {told.get('format')}: a newer "
            "release wrote it"
        )
    return told


def _shown(block: Any) -> bytes:
    """Return a row as JSON, for whoever has to mend it."""
    try:
        return msgspec.json.encode(block.to_pylist()[0], enc_hook=str)
    except (ValueError, OverflowError):
        return msgspec.json.encode(str(block))
