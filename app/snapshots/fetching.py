"""Fetches a snapshot by URL, from servers that the operator named and from no other address.

Whoever may restore could otherwise have this server call what only it can reach. So there is a list
of origins, empty unless set. The name is resolved once, every address that it has is looked at, and
the connection goes to one of these: a second answer of the name server changes nothing.
Redirects are not followed. Proxies of the environment are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from palimpsest.app.errors import Refusal, wrong_input
from palimpsest.app.wire.names import PORTS
from palimpsest.app.wire.servers import Origin, origin_of
from palimpsest.index import Incoming

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # that the other server may keep still
SLOWEST = 32 * 1024  # bytes a second: others wait for their turn meanwhile
LATE_SECONDS = 60.0  # that it may take beyond that
STEP = 1 << 20  # bytes written at once
_LOCAL = ("localhost", "localhost.")


def fetch(url: str, api_key: str | None, allowed: Sequence[str], file: Incoming, most: int) -> None:
    """Write what a URL gives to a file.

    Args:
        url: of a snapshot.
        api_key: sent as the header ``api-key``, None for none.
        allowed: origins that may be asked.
        file: that it is written to.
        most: bytes at most.

    Raises:
        Refusal: 400, the URL may not be asked, or gives no snapshot.
        StorageError: it could not be written.
    """
    try:
        origin = origin_of(url)
    except ValueError as error:
        raise wrong_input(f"location: {error}") from None
    if origin not in [origin_of(one) for one in allowed]:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            f"Wrong input: snapshots are not fetched from {origin.scheme}://{origin.host}:"
            f"{origin.port}: the operator may allow it by PALIMPSEST_SNAPSHOT_ORIGINS; or upload "
            "the file",
        )
    try:
        address = resolved(origin)
        for piece in _pieces(url, origin, address, api_key, file):
            if file.nbytes + len(piece) > most:
                raise wrong_input(
                    f"the snapshot is larger than allowed (limit: {most} bytes, "
                    "PALIMPSEST_SNAPSHOT_LIMIT)"
                )
            file.write(piece)
    except (OSError, http.client.HTTPException, ValueError) as error:
        file.require_wanted()  # else it may have failed because of that
        raise wrong_input(f"the snapshot could not be fetched from {url:.300}: {error}") from error


def resolved(origin: Origin) -> str:
    """Return the one address that is asked. Raises Refusal for one that must not be, or OSError."""
    found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    addresses = [str(each[4][0]) for each in found]
    for address in addresses:
        if not may_be_asked(origin.host, address):
            raise wrong_input(
                f"location: {origin.host} has the address {address}, which snapshots are not "
                "fetched from"
            )
    return addresses[0]


def may_be_asked(host: str, address: str) -> bool:
    """Tell whether a host may have an address.

    One that was named by its address, or as this machine, is what the operator allowed. A name must
    not lead to this machine, to its link (where clouds tell secrets), or to no one in particular.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    if host in _LOCAL:
        return ip.is_loopback
    try:
        return ipaddress.ip_address(host.partition("%")[0]) == ipaddress.ip_address(
            address.partition("%")[0]
        )
    except ValueError:
        pass
    return not (
        ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast or ip.is_reserved
    )


def _pieces(
    url: str, origin: Origin, address: str, api_key: str | None, file: Incoming
) -> Iterator[bytes]:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Pinned(origin, address)
    try:
        headers = {"accept-encoding": "identity", "accept": "application/octet-stream, */*"}
        if api_key is not None:
            headers["api-key"] = api_key
        began = time.monotonic()
        connection.connect()
        file.wake = connection.give_up
        file.require_wanted()  # it may have been stopped before
        connection.request("GET", target, headers=headers)
        reply = connection.getresponse()
        if reply.status != HTTPStatus.OK:
            raise wrong_input(
                f"the snapshot could not be fetched from {url:.300}: expected status 200, got "
                f"{reply.status} (redirects are not followed)"
            )
        expected, received = reply.length, 0
        while piece := reply.read1(STEP):  # as it comes: to wait for more may take forever
            received += len(piece)
            if time.monotonic() - began > LATE_SECONDS + received / SLOWEST:
                raise OSError(f"it comes too slowly: {received} bytes so far")
            yield piece
        if expected is not None and received != expected:
            raise OSError(f"it ended after {received} of {expected} bytes")
    finally:
        file.wake = lambda: None
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever the name of its host means by now."""

    def __init__(self, origin: Origin, address: str) -> None:
        super().__init__(origin.host, origin.port, timeout=CONNECT_SECONDS)
        self._origin, self._address = origin, address
        self.default_port = PORTS[origin.scheme]

    def connect(self) -> None:
        """Connect, and over TLS require the certificate of the name."""
        self.sock = socket.create_connection((self._address, self._origin.port), CONNECT_SECONDS)
        if self._origin.scheme == "https":
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self._origin.host)
        self.sock.settimeout(READ_SECONDS)

    def give_up(self) -> None:
        """End a wait for the other server; any thread may call."""
        with suppress(OSError):  # it was closed
            # not that of TLS, which takes away what the reading thread uses
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
