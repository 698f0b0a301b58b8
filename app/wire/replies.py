"""What every reply carries so that a browser takes it for data and nothing else."""

from __future__ import annotations

from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]

POLICY = b"content-security-policy"
SECURE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (POLICY, b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
# Of every 503, unless it says something else: what keeps a request from its answer passes.
SOON: Headers = [(b"retry-after", b"1")]
JSON = (b"content-type", b"application/json")
VARY_ORIGIN = (b"vary", b"origin")


def completed(given: Headers, added: Headers, status: int = HTTPStatus.OK) -> Headers:
    """Return a reply's own headers with those it lacks; ``vary`` may stand several times."""
    names = {name for name, _ in given}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        added = [*added, *SOON]
    return [*given, *(each for each in added if each[0] == b"vary" or each[0] not in names)]


def written(headers: Headers) -> bytes:
    """Return headers as they stand in a reply, each line with its end."""
    return b"".join(b"%b: %b\r\n" % each for each in headers)
