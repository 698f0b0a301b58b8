"""The audit log: a JSON line for each request, who did what with which outcome.

A line names the key by its id, the route and the collection; bodies, query strings and keys are in
none. Requests are not answered while no line can be written, and what could not be written is kept
until it can: a line is never left out. Only the event loop's thread writes.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from palimpsest.app.settings import Misconfigured

log = logging.getLogger("palimpsest")

# Appending, so that other writers and a rotation do no harm; without blocking, as a pipe that
# nobody reads must not hold the event loop.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
MODE = 0o600
MAX_NAME = 255  # characters of a collection's name


class Entry(msgspec.Struct, frozen=True):
    """One line."""

    time: str  # when the request was answered, UTC
    key: str
    address: str
    request_id: str  # as the reply and the log have it
    method: str
    action: str  # the template of the route
    collection: str | None  # as the request called it
    status: int


class AuditLog:
    """One open file. Raises Misconfigured when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = b""  # what could not be written yet
        self._failing = False
        try:
            self._descriptor = os.open(path, FLAGS, MODE)
        except OSError as error:
            raise Misconfigured(
                f"PALIMPSEST_AUDIT_LOG: {path} cannot be opened for writing: {error.strerror}"
            ) from None

    def write(self, entry: Entry) -> None:
        """Append a line, or keep it when that fails."""
        # Kept until the system took every byte: half a line is finished by the next try, before
        # another one.
        self._kept += _ENCODER.encode(entry) + b"\n"
        self.is_writable()

    def is_writable(self) -> bool:
        """Tell whether all lines are written, after another try with those that were not."""
        try:
            while self._kept:
                self._kept = self._kept[os.write(self._descriptor, self._kept) :]
        except OSError as error:
            if not self._failing:
                log.error(
                    "the audit log %s cannot be written, requests are refused until it can: %s",
                    self._path,
                    error.strerror,
                )
            self._failing = True
            return False
        if self._failing:
            log.info("the audit log %s is written again", self._path)
        self._failing = False
        return True

    async def reopen(self) -> None:
        """Open the path anew, for whoever moved the file away. Raises OSError; the old stays."""
        new = os.open(self._path, FLAGS, MODE)
        self.is_writable()  # what is kept belongs to the old file, if that takes it
        old, self._descriptor = self._descriptor, new
        os.close(old)

    def close(self) -> None:
        """Close the file, after a last try with what is kept."""
        if not self.is_writable():
            log.error("%d bytes of the audit log %s are lost", len(self._kept), self._path)
        os.close(self._descriptor)


def entry(
    *,
    key: str,
    address: str,
    request_id: str,
    method: str,
    action: str,
    collection: str | None,
    status: int,
) -> Entry:
    """Return a line about a request that is answered now; what the client chose is bounded."""
    return Entry(
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        key=key,
        address=address,
        request_id=request_id,
        method=method,
        action=action,
        collection=None if collection is None else _printable(collection[:MAX_NAME]),
        status=status,
    )


def _printable(name: str) -> str:
    """Return a name without what readers of logs may take for the end of a line."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)


_ENCODER = msgspec.json.Encoder()
