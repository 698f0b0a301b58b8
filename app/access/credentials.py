"""The one credential that a request shows: header ``api-key``, or ``Authorization: Bearer``.

``Authorization: Basic`` is heard only where a browser asks for it (see ``app.access.table``);
browsers send it of their own accord, so elsewhere it is as if it was not there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hmac import compare_digest

API_KEY = b"api-key"
AUTHORIZATION = b"authorization"
SHOWING = frozenset((API_KEY, AUTHORIZATION))
BEARER = b"bearer"
BASIC = b"basic"


class Conflicting(Exception):
    """More than one credential is shown: none of them counts."""


def credential_of(headers: Iterable[tuple[bytes, bytes]], *, basic: bool = False) -> bytes | None:
    """Return the credential of a request, None when it shows none; names are in lower case.

    Args:
        headers: of the request.
        basic: whether the password of ``Authorization: Basic`` is one.

    Raises:
        Conflicting: a header is given twice, or both with different values.
    """
    key = authorization = None
    for name, value in headers:
        if name not in SHOWING:  # one look-up for most, by a hash that the screen has made
            continue
        if name == API_KEY:
            if key is not None:
                raise Conflicting("header `api-key` is given twice")
            key = value
        else:
            if authorization is not None:
                raise Conflicting("header `Authorization` is given twice")
            authorization = value
    if authorization is None:
        return key or None
    shown = _of_authorization(authorization, basic)
    # Which of two would win is a matter of who implemented it; a proxy that adds its own must not
    # be overridden by what a client sent.
    if key and shown and not compare_digest(key, shown):
        raise Conflicting("`api-key` and `Authorization` differ: send one of them")
    return key or shown or None


def _of_authorization(value: bytes, basic: bool) -> bytes | None:
    scheme, _, rest = value.strip().partition(b" ")
    if scheme.lower() == BEARER:
        return rest.strip()
    if basic and scheme.lower() == BASIC:
        try:
            _, _, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
        except binascii.Error:
            return None
        return password
    return None
