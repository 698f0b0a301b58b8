"""Requests that carry a snapshot are told by method and path."""

from __future__ import annotations

import pytest

from palimpsest.app.wire.uploads import FRAME, is_download, is_upload, upload_refusal


@pytest.mark.parametrize(
    "target",
    [
        b"/collections/c/snapshots/upload",
        b"/collections/c/snapshots/upload/",
        b"/collections/%C3%A9%0Ax/snapshots/upload?checksum=1&wait=true",
        "/collections/é\n/snapshots/upload".encode(),
    ],
)
def test_what_brings_one(target: bytes) -> None:
    assert is_upload(b"POST", target)
    assert not is_upload(b"PUT", target)


@pytest.mark.parametrize(
    "target",
    [
        b"/collections/c/points?x=/snapshots/upload",
        b"/collections/c/d/snapshots/upload",
        b"/snapshots/upload",
        b"/collections/c/snapshots/uploads",
        b"/x/collections/c/snapshots/upload",
    ],
)
def test_what_brings_none(target: bytes) -> None:
    assert not is_upload(b"POST", target)


def test_what_asks_for_one() -> None:
    assert is_download("GET", "/snapshots/a.snapshot")
    assert is_download("HEAD", "/collections/é/snapshots/a.snapshot")
    assert not is_download("GET", "/snapshots")
    assert not is_download("POST", "/collections/c/snapshots/upload")


def test_which_heads_are_refused() -> None:
    form = {b"content-type": [b"Multipart/Form-Data; boundary=x"]}
    assert upload_refusal(form, 100) is None
    assert upload_refusal({**form, b"content-length": [b"%d" % (100 + FRAME)]}, 100) is None
    for wrong in (
        {},
        {b"content-type": [b"application/json"]},
        {b"content-type": [b"multipart/form-data", b"application/json"]},
        {**form, b"content-encoding": [b"gzip"]},
        {**form, b"content-length": [b"%d" % (101 + FRAME)]},
    ):
        assert upload_refusal(wrong, 100) is not None
