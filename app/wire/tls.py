"""TLS: certificates from files, checked before they are used, read again on SIGHUP.

Each connection is secured after it was accepted, by the context of that moment: a new certificate,
or a new list of authorities, counts for every connection made from then on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from palimpsest.app.settings import Misconfigured, Settings

log = logging.getLogger("palimpsest")


class Certificates:
    """The context of new connections."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None, timeout: float) -> None:
        """Read the files. Raises Misconfigured when they cannot be used."""
        self._files = (cert, key, client_ca)
        self._timeout = timeout
        self._shaking: set[asyncio.Task[None]] = set()
        self.context = read_context(*self._files)

    @classmethod
    def of(cls, settings: Settings) -> Certificates | None:
        """Return those that settings name, None when they name none.

        Raises:
            Misconfigured: one file of a pair is missing, or one cannot be used.
        """
        cert, key, client_ca = settings.tls_cert, settings.tls_key, settings.tls_client_ca
        if cert is None and key is None and client_ca is None:
            return None
        if cert is None or key is None:
            raise Misconfigured(
                "PALIMPSEST_TLS_CERT and PALIMPSEST_TLS_KEY belong together: expected both, got "
                + ("PALIMPSEST_TLS_CERT" if cert else "PALIMPSEST_TLS_KEY" if key else "neither")
                + (" and PALIMPSEST_TLS_CLIENT_CA" if client_ca else "")
            )
        return cls(cert, key, client_ca, settings.head_timeout)

    async def read_again(self) -> None:
        """Read the files again, beside the event loop. Raises Misconfigured, and keeps the old."""
        self.context = await asyncio.to_thread(read_context, *self._files)

    def __len__(self) -> int:
        """Return how many connections are being secured."""
        return len(self._shaking)

    def shake_hands(
        self,
        accepted: socket.socket,
        factory: Callable[[], asyncio.Protocol],
        ended: dict[str, int],
    ) -> None:
        """Begin to secure a connection, which is closed and counted where that fails."""
        task = asyncio.get_running_loop().create_task(self._secure(accepted, factory, ended))
        self._shaking.add(task)
        task.add_done_callback(self._shaking.discard)

    async def _secure(
        self,
        accepted: socket.socket,
        factory: Callable[[], asyncio.Protocol],
        ended: dict[str, int],
    ) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                factory, accepted, ssl=self.context, ssl_handshake_timeout=self._timeout
            )
        except (OSError, TimeoutError) as error:  # of which those of TLS are some
            ended["handshake"] += 1
            log.debug("no TLS with a client: %s", error)


def read_context(cert: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """Return a server's context of TLS 1.2 and above. Raises Misconfigured naming the file."""
    for variable, path in (
        ("PALIMPSEST_TLS_CERT", cert),
        ("PALIMPSEST_TLS_KEY", key),
        ("PALIMPSEST_TLS_CLIENT_CA", client_ca),
    ):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise Misconfigured(f"{variable}: {path} cannot be read: {error.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_refuse_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise Misconfigured(
            f"PALIMPSEST_TLS_CERT, PALIMPSEST_TLS_KEY: {cert} and {key} are no certificate and its "
            f"private key in PEM without a password: {error}"
        ) from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (ssl.SSLError, OSError) as error:
            raise Misconfigured(
                f"PALIMPSEST_TLS_CLIENT_CA: {client_ca} holds no certificates in PEM: {error}"
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _refuse_password() -> str:
    raise ValueError("the private key is encrypted")
