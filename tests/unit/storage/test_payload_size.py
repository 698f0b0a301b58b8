"""The size of all payloads: counted after writes, not too often, and kept in between."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.index.storage import payload_size
from palimpsest.index.storage.payload_size import PayloadSize


class Reader:
    """What counts, and how long it takes."""

    def __init__(self) -> None:
        self.now, self.takes, self.size, self.counts = 0.0, 0.0, 2**53 + 1, 0

    def payload_bytes(self) -> int:
        self.counts += 1
        self.now += self.takes
        return self.size

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    made = Reader()
    monkeypatch.setattr(payload_size.time, "monotonic", made.monotonic)
    return made


def test_nothing_is_counted_twice_between_two_writes(reader: Reader) -> None:
    own = PayloadSize(made := reader)  # type: ignore[arg-type]
    assert [own.bytes(1), own.bytes(1), own.bytes(1)] == [2**53 + 1] * 3 and made.counts == 1
    made.size = 5
    assert own.bytes(2) == 5 and made.counts == 2


def test_a_long_count_is_not_repeated_before_it_is_worth_it(reader: Reader) -> None:
    own: Any = PayloadSize(reader)  # type: ignore[arg-type]
    reader.takes = 1.0
    assert own.bytes(1) == 2**53 + 1
    reader.size = 7
    assert own.bytes(2) == 2**53 + 1, "told as it was a moment ago"
    reader.now += 45.0
    assert own.bytes(3) == 2**53 + 1 and reader.counts == 1
    reader.now += 6.0
    assert own.bytes(3) == 7 and reader.counts == 2


def test_short_counts_follow_every_write(reader: Reader) -> None:
    own = PayloadSize(reader)  # type: ignore[arg-type]
    reader.takes = 0.0005
    for seq in range(10):
        reader.size = seq
        assert own.bytes(seq) == seq
