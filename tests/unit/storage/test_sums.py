"""Checksums of rows are what their definition says, and tell one row from another."""

from __future__ import annotations

import random

import numpy as np
import pytest

from palimpsest.index.storage.sums import PAYLOAD, PLACE, TABLES, Row, check_of, plain_sum

VALUES = (None, 0, -1, 1 << 62, -(1 << 63), 0.0, 1.5, "", "é", "a" * 70, b"", b"\0", b"x" * 4_099)


def rows_of(draw: random.Random, count: int) -> list[Row]:
    return [tuple(draw.choices(VALUES, k=draw.randrange(6))) for _ in range(count)]


def test_a_known_sum() -> None:
    """The check value of CRC-32C, over a text that is framed as a row of one column is not."""
    text = b"123456789"
    crc = plain_sum(0, (text,))
    assert plain_sum(0, (bytearray(text).decode(),)) != crc
    framed = b"b" + len(text).to_bytes(8, "little") + text
    assert crc & 0xFFFFFFFF == _crc32c(framed) and _crc32c(text) == 0xE3069283


def _crc32c(text: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in text:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize("check", [PLACE, PAYLOAD, check_of("dead")], ids=lambda one: one.stored)
def test_sums_agree_with_their_definition(check: object) -> None:
    assert isinstance(check, type(PLACE))
    rows = rows_of(random.Random(5), 300)
    assert check.sums(rows) == [plain_sum(check.seed, row) for row in rows]


def test_sums_of_columns_are_those_of_rows() -> None:
    draw = random.Random(6)
    rows = [tuple(draw.choices(VALUES, k=4)) for _ in range(300)]
    columns = [[row[at] for row in rows] for at in range(4)]
    assert PLACE.sums_of(*columns) == PLACE.sums(rows)
    assert PLACE.sums_of([], []) == []
    for wrong in ([[1], [1, 2]], [[1], [object()]], []):
        with pytest.raises(ValueError):
            PLACE.sums_of(*wrong)


def test_each_other_row_has_another_sum() -> None:
    rows = [(0, 1, 2, b"12345678"), (0, 1, 2, "12345678"), (0, 1, None, b"12345678"),
            (0, 1, 2.0, b"12345678"), (1, 0, 2, b"12345678"), (0, 1, 2, b"1234567"),
            (0, 1, b"\2", b"12345678")]  # fmt: skip
    assert len({*PLACE.sums(rows)}) == len(rows)
    sums = {check.sum((5, 7)) for table in TABLES.values() for check in table.checks}
    assert len(sums) == sum(len(table.checks) for table in TABLES.values())


def test_bad_rows_are_told_by_their_place() -> None:
    rows = [(n, n + 5, 3, bytes(8)) for n in range(9)]
    stored: list[Row] = [(*row, own) for row, own in zip(rows, PLACE.sums(rows), strict=True)]
    columns = [0, 1, 2, 3]
    assert PLACE.bad(stored, columns, 4) == []
    stored[2] = (*stored[3][:4], stored[2][4])
    stored[5] = (*stored[5][:4], None)
    stored[7] = (*stored[7][:4], "text")
    stored[8] = (*stored[8][:3], "\udcff", stored[8][4])  # what no UTF-8 is read as
    assert PLACE.bad(stored, columns, 4) == [2, 5, 7, 8]
    assert PLACE.bad(stored, columns, 4, may_lack=True) == [2, 7, 8]


def test_what_is_no_cell_is_refused() -> None:
    for value in (1 << 63, np.int64(3), (1,)):
        with pytest.raises(ValueError, match="a value must be"):
            PLACE.sums([(value,)])
    with pytest.raises(ValueError, match="no such column"):
        PLACE.bad([(1, 2)], [0, 5], 1)
