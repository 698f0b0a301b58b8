"""There is one archive for each list of members: tar reads it, and no other is read."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from palimpsest.index import Damaged
from palimpsest.index.snapshots.archive import (
    BLOCK,
    END,
    ArchiveReader,
    header_of,
    member,
    member_size,
    padding,
)

PATH = Path("x.snapshot")
MEMBERS = {"a": b"", "segments/b/c.npy": b"x" * 513, "d": b"y" * 512}


def written() -> bytes:
    return b"".join(b"".join(member(name, 5, text)) for name, text in MEMBERS.items()) + END


def read(text: bytes, step: int = 4096) -> dict[str, bytes]:
    pieces = (text[start : start + step] for start in range(0, len(text), step))
    archive, found = ArchiveReader(PATH, pieces), {}
    while (header := archive.header()) is not None:
        found[header[0]] = b"".join(archive.content(header[1]))
        assert header[2] == 5
    return found


@pytest.mark.parametrize("step", [1, 511, 512, 513, 1 << 20])
def test_it_is_read_as_it_was_written(step: int) -> None:
    assert read(written(), step) == MEMBERS


def test_tar_reads_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(written())) as tar:
        assert {one.name: tar.extractfile(one).read() for one in tar} == MEMBERS  # type: ignore[union-attr]
    sizes = sum(member_size(len(text)) for text in MEMBERS.values())
    assert len(written()) == sizes + len(END)


def test_every_changed_byte_of_what_surrounds_the_members_is_found() -> None:
    text = written()
    for place in range(len(text)):
        other = text[:place] + bytes([text[place] ^ 4]) + text[place + 1 :]
        try:
            found = read(other)
        except Damaged:
            continue
        assert list(found) == list(MEMBERS) and found != MEMBERS  # contents have their checksums


@pytest.mark.parametrize("kept", [0, 1, BLOCK - 1, BLOCK, BLOCK + 7, -1, -BLOCK])
def test_one_that_is_cut_short(kept: int) -> None:
    with pytest.raises(Damaged):
        read(written()[:kept])


@pytest.mark.parametrize("more", [b"\0", b"x", bytes(BLOCK), END])
def test_one_that_goes_on(more: bytes) -> None:
    with pytest.raises(Damaged):
        read(written() + more)


def hostile() -> Iterator[tarfile.TarInfo]:
    for kind in (
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.DIRTYPE,
        tarfile.FIFOTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.XHDTYPE,
        tarfile.GNUTYPE_SPARSE,
        tarfile.AREGTYPE,
        tarfile.CONTTYPE,
    ):
        one = tarfile.TarInfo("a")
        one.type, one.mode, one.linkname = kind, 0o644, "/etc/passwd"
        yield one
    for change in ({"mode": 0o777}, {"uid": 1}, {"uname": "root"}, {"linkname": "b"}):
        one = tarfile.TarInfo("a")
        one.mode = 0o644
        for name, value in change.items():
            setattr(one, name, value)
        yield one


@pytest.mark.parametrize("one", list(hostile()), ids=lambda one: f"{one.type!r}{one.uname}")
def test_members_that_are_no_plain_files(one: tarfile.TarInfo) -> None:
    with pytest.raises(Damaged):
        ArchiveReader(PATH, [one.tobuf(tarfile.GNU_FORMAT) + END]).header()


def test_a_member_of_twenty_gigabytes_has_a_header() -> None:
    header = header_of("segments/a/b", 20 << 30, 7)
    assert ArchiveReader(PATH, [header]).header() == ("segments/a/b", 20 << 30, 7)
    ArchiveReader(PATH, [header]).require_header("segments/a/b", 20 << 30, 7)
    with pytest.raises(Damaged):
        ArchiveReader(PATH, [header]).require_header("segments/a/b", 21 << 30, 7)
    assert padding(1) == bytes(511) and padding(512) == b""
