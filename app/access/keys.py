"""Keys: read from the environment or from files, compared in constant time.

A key is a line of visible ASCII. Several are valid at once, so that clients can be given a new one
before the old one goes. Whoever holds a full key may do everything and sign tokens; a read-only key
reads everything. No text made here, and no representation, holds a key.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hmac import compare_digest
from pathlib import Path
from typing import TypeAlias

from pydantic import SecretStr

from palimpsest.app.access.rights import Access, Level
from palimpsest.app.settings import Misconfigured, Settings

SHORT = 16  # characters; below, a key is warned of
SHORT_SIGNING = 32  # where it signs tokens, by which it can be guessed at without asking the server
MAX_FILE = 64 * 1024  # bytes
ID_BYTES = 4
VISIBLE = range(0x21, 0x7F)

Signature: TypeAlias = tuple[int, ...] | None  # of a file; another one means another content


@dataclass(frozen=True, slots=True)
class Key:
    """One key and what it gives."""

    secret: bytes = field(repr=False)
    access: Access


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys that are valid at one time."""

    keys: tuple[Key, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether any key is set."""
        return bool(self.keys)

    def find(self, secret: bytes) -> Access | None:
        """Return what a key gives, None when it is none; every key is compared, each in full."""
        found = None
        for key in self.keys:
            # No early end: the time it takes tells neither how much of a key is right nor which one
            # it is.
            if compare_digest(key.secret, secret):
                found = key.access
        return found

    def signing(self) -> Sequence[bytes]:
        """Return the keys that tokens may be signed with."""
        return [key.secret for key in self.keys if key.access.everywhere is Level.MANAGE]

    def short(self, signing: bool) -> list[str]:
        """Return the ids of keys that are easily guessed; tokens can be guessed at elsewhere."""
        least = SHORT_SIGNING if signing else SHORT
        return [key.access.who for key in self.keys if len(key.secret) < least]


def read_keys(settings: Settings) -> KeyRing:
    """Return the keys that settings give or name. Raises Misconfigured; reads files, takes a while.

    Deriving the id of a new key takes about 50 ms.
    """
    full = _read_role(settings.api_key, settings.api_key_file, "API_KEY")
    read = _read_role(
        settings.read_only_api_key, settings.read_only_api_key_file, "READ_ONLY_API_KEY"
    )
    if set(full) & set(read):
        raise Misconfigured(
            "PALIMPSEST_API_KEY and PALIMPSEST_READ_ONLY_API_KEY, or their files, hold the same "
            "key: give read-only clients another one"
        )
    return KeyRing(
        (
            *(Key(one, Access(key_id("full", one), "key", Level.MANAGE)) for one in full),
            *(Key(one, Access(key_id("read-only", one), "key", Level.READ)) for one in read),
        )
    )


def key_files(settings: Settings) -> list[Path]:
    """Return the files that hold keys."""
    files = (settings.api_key_file, settings.read_only_api_key_file)
    return [each for each in files if each is not None]


def signatures(files: Iterable[Path]) -> tuple[Signature, ...]:
    """Return what changes when a file, or what a link to it leads to, does; does not read it."""
    return tuple(map(_signature, files))


@lru_cache(maxsize=256)
def key_id(role: str, secret: bytes) -> str:
    """Return a name for a key that tells nothing of it, the same at every start."""
    # Four bytes of a slow function: the audit log can be given away, and no key be guessed at by
    # it.
    digest = hashlib.scrypt(secret, salt=b"palimpsest key id", n=2**14, r=8, p=1, dklen=ID_BYTES)
    return f"{role}-{digest.hex()}"


def _signature(file: Path) -> Signature:
    try:
        found = os.stat(file)
    except OSError:
        return None
    # the last one changes with permissions too: a file may become readable as it is
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read_role(given: SecretStr | None, file: Path | None, name: str) -> list[bytes]:
    variable = f"PALIMPSEST_{name}"
    if given is not None and file is not None:
        raise Misconfigured(f"both {variable} and {variable}_FILE are set: unset one of them")
    if given is not None:
        return _keys_of(given.get_secret_value().encode("utf-8", "surrogateescape"), variable)
    if file is not None:
        return _keys_of(_content(file, f"{variable}_FILE"), f"{variable}_FILE")
    return []


def _content(file: Path, variable: str) -> bytes:
    try:
        # a pipe that nobody writes to would hold the start for ever
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Misconfigured(f"{variable}: {file} is not a regular file")
            content = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise Misconfigured(f"{variable}: {file} cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE:
        raise Misconfigured(f"{variable}: {file} is larger than {MAX_FILE} bytes")
    return content


def _keys_of(text: bytes, variable: str) -> list[bytes]:
    """Return the keys of a text, each once. Raises Misconfigured, which names lines only."""
    keys: dict[bytes, None] = {}
    for number, line in enumerate(text.split(b"\n"), 1):
        key = line.strip(b" \t\r")
        if any(byte not in VISIBLE for byte in key):
            raise Misconfigured(
                f"{variable}: line {number}: expected a key of visible ASCII characters alone, "
                "without spaces"
            )
        if key:
            keys[key] = None
    if not keys:
        raise Misconfigured(
            f"{variable} holds no key: write one into it, a line each, or unset the variable"
        )
    return list(keys)
