"""Reads points from lines of JSON, one a line: as ``export`` writes them, or by columns.

Without ``--vector`` a line is ``{"id": ..., "vector": ..., "payload": {...}}``, each as the REST
API has it, and any other field is an error; with it, a line is an object whose fields are columns.
Nothing of a vector or a payload is decoded: their texts are what the server gets.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from palimpsest.app.spelling import ABSENT, SPARSE
from palimpsest.app.transfer.errors import BadRow, TransferError, WrongUse
from palimpsest.app.transfer.files import STDIN, file_mark, lines_of, open_lines
from palimpsest.app.transfer.mapping import ALL, Mapping, Wished, resolve
from palimpsest.app.transfer.numbers import read_dense
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, named_text, object_text, point_row
from palimpsest.app.transfer.shapes import Dense, Sets, Shape, Sparse


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One point as ``export`` writes it."""

    id: int | str
    vector: msgspec.Raw
    payload: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


_LINE = msgspec.json.Decoder(Line)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ID = msgspec.json.Decoder(int | str)
_DENSE = msgspec.json.Decoder(list[float])
_SET = msgspec.json.Decoder(list[list[float]])


class LinesReader:
    """Lines of JSON in a file, packed by gzip or not, or from standard input."""

    unit = "line"
    total: int | None = None
    skipped = 0

    def __init__(self, source: str, wished: Wished) -> None:
        self.name = "standard input" if source == STDIN else source
        self._source = source
        self._mapping: Mapping | None = None
        self._keeps_all = wished.payload in ((), (ALL,)) and wished.payload_json is None
        self._file = open_lines(source)
        self._lines = lines_of(self._file, self.name)
        self._first: list[bytes] = []  # of standard input, which is read only once
        try:
            self._settle(wished)
        except BaseException:
            self.close()
            raise

    def mark(self) -> Any:
        """Return the file's size and age; nothing tells of standard input."""
        return None if self._source == STDIN else file_mark(Path(self._source))

    def shape(self) -> Shape | None:
        """Return what vectors the first line holds; later ones may hold others.

        Raises:
            BadRow: it is no point.
        """
        text = self._peek()
        if text is None:
            return None
        item = self._row(len(self._first) - 1, text, 0)
        if isinstance(item, Fault):
            raise BadRow(f"{self.name}, line {item.place + 1}: {item.why}")
        vector = _LINE.decode(item.text).vector
        named = _FIELDS.decode(vector) if bytes(vector)[:1] == b"{" else {"": vector}
        if named.keys() == SPARSE:
            named = {"": vector}
        return {name: _kind(self.name, bytes(one)) for name, one in named.items()}

    def declared(self) -> None:
        """Return nothing: lines do not tell."""
        return None

    def read(self, start: Start, first_id: int) -> Iterator[Item]:
        """Give the points of all lines that are not blank."""
        lines = self._from_the_start()
        for place, line in enumerate(islice(lines, start.rows, None), start.rows):
            if line and not line.isspace():
                yield self._row(place, line, first_id)

    def close(self) -> None:
        """Close the file."""
        if self._source != STDIN:
            self._file.close()

    def _settle(self, wished: Wished) -> None:
        if wished.vectors:
            self._mapping = resolve(wished, [*self._peeked()])
        elif not wished.is_empty:
            raise WrongUse(
                "--id, --payload: lines of JSON are {id, vector, payload} unless --vector COLUMN "
                "says what their fields are"
            )

    def _row(self, place: int, line: bytes, first_id: int) -> Item:
        try:
            if not line.isascii():
                line.decode()
            if self._mapping is None:
                read = _LINE.decode(line)
                item = point_row(place, read.id, bytes(read.vector), bytes(read.payload))
            else:
                item = self._mapped(place, line, self._mapping, first_id)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Fault(place, str(error), line)
        return item._replace(text=line) if isinstance(item, Fault) else item

    def _mapped(self, place: int, line: bytes, mapping: Mapping, first_id: int) -> Item:
        fields = _FIELDS.decode(line)
        point_id: int | str = first_id + place
        if mapping.id is not None:
            if mapping.id not in fields:
                return Fault(place, f"no field {mapping.id!r} for the id", line)
            point_id = _ID.decode(fields.pop(mapping.id))
        vectors = {}
        for column, name in mapping.vectors.items():
            text = bytes(fields.pop(column, b""))
            if text not in ABSENT:
                vectors[name] = text
        if mapping.payload_json is not None:
            text = bytes(fields.get(mapping.payload_json, b""))
            payload = b"" if text in ABSENT else msgspec.json.decode(text, type=str).encode()
            return point_row(place, point_id, named_text(vectors), payload)
        # Lines need not have the fields of the first: all means those that this one has.
        names = fields if self._keeps_all else [each for each in mapping.payload if each in fields]
        kept = {name: bytes(fields[name]) for name in names}
        return point_row(place, point_id, named_text(vectors), object_text(kept))

    def _from_the_start(self) -> Iterator[bytes]:
        first, self._first = self._first, []
        yield from first
        yield from self._lines

    def _peek(self) -> bytes | None:
        """Return the first line that is not blank, which will be read again."""
        if self._first and self._first[-1] and not self._first[-1].isspace():
            return self._first[-1]
        for line in self._lines:
            self._first.append(line)
            if line and not line.isspace():
                return line
        return None

    def _peeked(self) -> dict[str, msgspec.Raw]:
        line = self._peek()
        if line is None:
            return {}
        try:
            return _FIELDS.decode(line)
        except msgspec.MsgspecError as error:
            raise TransferError(f"{self.name}: first line: {error}") from None


def _kind(name: str, text: bytes) -> Dense | Sets | Sparse:
    try:
        if text[:1] == b"{":
            return Sparse()
        if text[:1] == b"[" and text[1:].lstrip()[:1] == b"[":
            return Sets(len(_SET.decode(text)[0]))
        return Dense(len(_DENSE.decode(text) if text[:1] == b"[" else read_dense(text)))
    except (ValueError, IndexError, msgspec.MsgspecError) as error:
        raise TransferError(f"{name}: the vector of its first line: {error}") from None
