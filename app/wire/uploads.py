"""Which requests carry a snapshot: their bodies are no JSON, and longer than any other may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from palimpsest.app.errors import Refusal

FRAME = 64 * 1024  # bytes that a form may have around its file
MULTIPART = b"multipart/form-data"
_UPLOAD = re.compile(rb"/collections/[^/?]+/snapshots/upload/?(?:\?.*)?", re.DOTALL)
_DOWNLOAD = re.compile(r"(?:/collections/[^/]+)?/snapshots/[^/]+/?")


def is_upload(method: bytes, target: bytes) -> bool:
    """Tell whether a request brings a snapshot, by its path or target as it came."""
    return method == b"POST" and _UPLOAD.fullmatch(target) is not None


def is_download(method: str, path: str) -> bool:
    """Tell whether a request asks for the bytes of a snapshot."""
    return method in ("GET", "HEAD") and _DOWNLOAD.fullmatch(path) is not None


def upload_refusal(noted: Mapping[bytes, Sequence[bytes]], most: int) -> Refusal | None:
    """Return why a request with these headers brings no snapshot; None when it may.

    Args:
        noted: the values of headers by their names in lower case.
        most: bytes that a snapshot may have.
    """
    kinds = [value.partition(b";")[0].strip().lower() for value in noted.get(b"content-type", [])]
    if kinds != [MULTIPART] or noted.get(b"content-encoding"):
        return Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type: send the snapshot as it is, as the file `snapshot` of a form "
            "(multipart/form-data)",
        )
    declared = max((int(each) for each in noted.get(b"content-length", [])), default=0)
    if declared > most + FRAME:
        return Refusal(
            HTTPStatus.BAD_REQUEST,
            f"Wrong input: the snapshot ({declared} bytes) is larger than allowed (limit: {most} "
            "bytes, PALIMPSEST_SNAPSHOT_LIMIT)",
        )
    return None
