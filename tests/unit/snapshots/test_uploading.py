"""A form is read as it comes, whatever the pieces, and only its one file is taken."""

from __future__ import annotations

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.snapshots.uploading import Form

KIND = "multipart/form-data; boundary=AaB03x"
FILE = b"\0\1" * 40 + b"\r\n--AaB03 is none\r\n"


def part(name: bytes = b"snapshot", text: bytes = FILE) -> bytes:
    head = b'Content-Disposition: form-data; name="%b"; filename="../../x"\r\n' % name
    return b"--AaB03x\r\n" + head + b"Content-Type: x/y\r\n\r\n" + text + b"\r\n"


END = b"--AaB03x--\r\n"


def read(body: bytes, step: int = 1 << 20, most: int = 1_000) -> bytes:
    form, found = Form(KIND, most), b""
    for start in range(0, len(body), step):
        form.feed(body[start : start + step])
        found += form.taken()
    form.finish()
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1 << 20])
def test_the_file_is_taken(step: int) -> None:
    assert read(part() + END, step) == FILE


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "too early"),
        (part(), "too early"),
        (part() + END[:-4], "too early"),
        (END, "no file"),
        (part(b"other") + END, "`other`"),
        (part() + part() + END, "several"),
        (part(b"snapshot") + part(b"checksum") + END, "`checksum`"),
        (b"no form at all", "cannot be read"),
        (b"--AaB03x\r\n\r\nx\r\n" + END, "``"),
    ],
)
def test_other_forms(body: bytes, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        read(body)


def test_one_that_is_too_large() -> None:
    assert read(part() + END, most=len(FILE)) == FILE
    with pytest.raises(Refusal, match="PALIMPSEST_SNAPSHOT_LIMIT"):
        read(part() + END, most=len(FILE) - 1)


@pytest.mark.parametrize("kind", ["", "multipart/form-data", f"{KIND}{'y' * 300}"])
def test_no_boundary(kind: str) -> None:
    with pytest.raises(Refusal):
        Form(kind, 1_000)
