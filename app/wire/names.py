"""Names of hosts and origins: how they are written in headers and in settings."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

ANY = "*"
_HOST = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*))(?::([0-9]{1,5}))?")
_NAME = re.compile(r"(\*\.)?[a-z0-9_][a-z0-9_.-]*|\[[0-9a-f:.]+\]|\*")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(?:(?![/?#@,\\])[!-~])+")
PORTS = {"http": 80, "https": 443}  # that browsers leave out


class Host(NamedTuple):
    """What a ``Host`` header names."""

    name: str  # in lower case; addresses of IPv6 stand in brackets
    port: int | None


def read_host(value: bytes) -> Host | None:
    """Return what a ``Host`` header names; None when it is malformed."""
    found = _HOST.fullmatch(value.strip(b" \t").lower())
    if found is None:
        return None
    name = found[1].decode().removesuffix(".")
    port = None if found[2] is None else int(found[2])
    if port is not None and port > 65_535:
        return None
    if name.startswith("[") and _ipv6(name) is None:
        return None
    return Host(name, port)


def is_loopback(name: str) -> bool:
    """Whether a host's name always means the machine it is used on."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if name.startswith("["):
        address = _ipv6(name)
        return address is not None and address.is_loopback
    try:
        return IPv4Address(name).is_loopback
    except AddressValueError:
        return False


def listens_on_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens on an address."""
    return is_loopback(f"[{address}]" if ":" in address else address.lower())


def host_list(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of hosts in lower case. Raises ValueError for what is no such name."""
    names = tuple(name.strip().lower() for name in names)
    for name in names:
        if _NAME.fullmatch(name) is None or (name.startswith("[") and _ipv6(name) is None):
            raise ValueError(
                "expected names of hosts without ports, as in db.example.org,*.internal, "
                f"got {name!r}"
            )
    return tuple(name.removesuffix(".") for name in names)


def origin_list(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Return origins as browsers send them. Raises ValueError for what no browser sends."""
    return tuple(_origin(each.strip().lower()) for each in origins)


def _origin(text: str) -> str:
    if text == ANY:
        return text
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(
            "expected origins as browsers send them, as in https://app.example.org:8443 or "
            f"https://xn--bcher-kva.example, or * for any, got {text!r}"
        )
    return text.removesuffix(f":{PORTS.get(found[1])}")


def _ipv6(name: str) -> IPv6Address | None:
    try:
        return IPv6Address(name[1:-1])
    except AddressValueError:
        return None
