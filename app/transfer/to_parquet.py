"""What an export makes of its spool in Parquet: a column for ids, for payloads, for each vector.

Beside the columns the file says what they mean and how their collection was declared, so that an
import of it needs to be told nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from palimpsest.app.transfer.arrow import needed
from palimpsest.app.transfer.from_lines import Line
from palimpsest.app.transfer.from_parquet import FORMAT, METADATA
from palimpsest.app.transfer.numbers import read_dense_rows, read_set
from palimpsest.app.transfer.shapes import Dense, Sets, Shape, Sparse
from palimpsest.app.transfer.spool import Spool
from palimpsest.app.transfer.to_files import replacing, vectors_of

GROUP = 8_192  # rows of a row group
ID, PAYLOAD, VECTOR = "id", "payload", "vector"


def write_parquet(spool: Spool, shape: Shape, declared: dict[str, Any], path: Path) -> None:
    """Write a row group for every so many points. Raises WrongUse without pyarrow."""
    arrow, parquet = needed(path)
    columns = {name: f"{VECTOR}.{name}" if name else VECTOR for name in shape}
    told = {
        "format": FORMAT,
        "mapping": {
            "id": ID,
            "payload": PAYLOAD,
            "vectors": {column: name for name, column in columns.items()},
        },
        "collection": declared,
    }
    # Integers as integers, where all ids are: text is for UUIDs.
    schema = arrow.schema(
        [
            (ID, arrow.uint64() if spool.at.integers else arrow.string()),
            *((columns[name], _type(one, arrow)) for name, one in shape.items()),
            (PAYLOAD, arrow.string()),
        ],
        {METADATA: msgspec.json.encode(told)},
    )
    how = {"compression": "zstd", "write_page_checksum": True}
    with replacing(path) as new, parquet.ParquetWriter(new, schema, **how) as file:
        lines = spool.lines()
        while group := list(islice(lines, GROUP)):
            held = _arrays(group, shape, spool.at.integers, arrow)
            file.write_table(arrow.table(held, schema=schema))


def _arrays(lines: Sequence[Line], shape: Shape, integers: bool, arrow: Any) -> list[Any]:
    ids = [line.id if integers else str(line.id) for line in lines]
    vectors = [vectors_of(line) for line in lines]
    columns = [
        _column([None if name not in one else bytes(one[name]) for one in vectors], kind, arrow)
        for name, kind in shape.items()
    ]
    payloads = [bytes(line.payload).decode() or None for line in lines]
    return [
        arrow.array(ids, arrow.uint64() if integers else arrow.string()),
        *columns,
        arrow.array(payloads, arrow.string()),
    ]


def _column(texts: Sequence[bytes | None], kind: Dense | Sets | Sparse, arrow: Any) -> Any:
    """Return the column of one vector name, null where a point has none."""
    if isinstance(kind, Dense):
        rows = np.zeros((len(texts), kind.size), dtype=np.float32)
        held = [place for place, text in enumerate(texts) if text is not None]
        if held:
            rows[held] = read_dense_rows([text for text in texts if text is not None])
        missing = np.ones(len(texts), dtype=bool)
        missing[held] = False
        return arrow.FixedSizeListArray.from_arrays(
            arrow.array(rows.ravel()), kind.size, mask=arrow.array(missing)
        )
    if isinstance(kind, Sets):
        sets = [None if text is None else [*read_set(text)] for text in texts]
        return arrow.array(sets, _type(kind, arrow))
    decoded = [None if text is None else msgspec.json.decode(text) for text in texts]
    return arrow.array(decoded, _type(kind, arrow))


def _type(kind: Dense | Sets | Sparse, arrow: Any) -> Any:
    numbers = arrow.float32()
    if isinstance(kind, Dense):
        return arrow.list_(numbers, kind.size)
    if isinstance(kind, Sets):
        return arrow.list_(arrow.list_(numbers, kind.size))
    return arrow.struct(
        [("indices", arrow.list_(arrow.uint32())), ("values", arrow.list_(numbers))]
    )
