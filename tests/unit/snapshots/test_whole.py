"""An archive of all collections holds theirs, in order, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index import Damaged
from palimpsest.index.snapshots.archive import END, ArchiveReader, member
from palimpsest.index.snapshots.whole import Contents, ending, one_of_many, read_whole

ONES = {"c": b"".join(member("x", 1, b"1")) + END, "é": b"".join(member("y", 2, b"22")) + END}


def written(contents: Contents, ones: dict[str, bytes] = ONES) -> bytes:
    parts = [
        b"".join(one_of_many(number, 5, len(text), iter([text])))
        for number, text in enumerate(ones.values())
    ]
    return b"".join(parts) + b"".join(ending(contents))


def contents_of(*names: str, created: int = 5) -> Contents:
    return Contents("1", created, names, {"a": "c"} if names else {})


def read(text: bytes) -> Contents:
    names = iter(ONES)

    def one(archive: ArchiveReader) -> str:
        while (header := archive.header()) is not None:
            list(archive.content(header[1]))
        return next(names)

    return read_whole(ArchiveReader(Path("x"), [text]), one)


def test_it_is_read_as_it_was_written() -> None:
    assert read(written(contents_of("c", "é"))) == contents_of("c", "é")
    assert read(written(contents_of(), {})) == contents_of()


@pytest.mark.parametrize("aliases", [{"a": "d"}, {"c": "é"}, {"a": "c", "é": "é"}])
def test_aliases_that_mean_nothing_there_are_refused(aliases: dict[str, str]) -> None:
    with pytest.raises(Damaged, match="names"):
        read(written(Contents("1", 5, ("c", "é"), aliases)))


def test_every_changed_byte_around_the_collections_is_found() -> None:
    text = written(contents_of("c", "é"))
    for place in range(0, len(text), 3):
        other = text[:place] + bytes([text[place] ^ 2]) + text[place + 1 :]
        try:
            read(other)
        except Damaged:
            continue
        assert text[place - place % 512 : place].startswith((b"1", b"22", b"")), place


@pytest.mark.parametrize(
    "text",
    [
        written(contents_of("c")),
        written(contents_of("é", "c")),
        written(contents_of("c", "é"), {}),
        written(contents_of("c", "é"))[: -len(END)],
        written(contents_of("c", "é")) + END,
        END,
        written(contents_of("c", "é", created=6)),
    ],
)
def test_contents_that_are_others(text: bytes) -> None:
    if text == written(contents_of("c", "é", created=6)):
        assert read(text).created == 6  # only of its own member
        return
    with pytest.raises(Damaged):
        read(text)
