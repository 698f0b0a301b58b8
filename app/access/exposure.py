"""Whether a server that asks for no key could be reached from elsewhere."""

from __future__ import annotations

import ipaddress
import socket

from palimpsest.app.settings import Misconfigured, Settings


def check_exposure(settings: Settings, has_keys: bool) -> None:
    """Raise Misconfigured for a host that is not loopback, unless keys are set or it is wanted."""
    if has_keys or settings.insecure or is_loopback(settings.host):
        return
    raise Misconfigured(
        f"host {settings.host!r} can be reached from other machines, and no key is set: whoever "
        "reaches the port could delete everything. Set PALIMPSEST_API_KEY or "
        "PALIMPSEST_API_KEY_FILE, or serve without keys by --insecure (PALIMPSEST_INSECURE=1)"
    )


def is_loopback(host: str) -> bool:
    """Tell whether all that a host's name or address stands for is this machine alone.

    What cannot be resolved is not.
    """
    if not host:
        return False  # binds every address
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_is_local(str(address[0])) for *_, address in found)


def _is_local(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback
