"""How far an import is, on disk: one small file for each import of the same into the same.

It is replaced as a whole and synced, so a kill or a power cut leaves the last one. The file is
locked while its import runs: two of the same would undo each other's order of writes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from palimpsest.app.transfer.errors import TransferError

FORMAT = 1


class Progress(msgspec.Struct, frozen=True):
    """How far an import is.

    Attributes:
        marks: of each source, what tells that it has changed.
        source: the number of the source that is being read.
        rows: of it that are done.
        after: the id of the last of these.
        base: rows of the sources before it.
        first: the id of the first point that was written; last: that of the last one.
        written: points so far.
        skip: the file of skipped rows.
        skipped: bytes of it that belong to what is done.
        faults: rows that were skipped.
        format: of this file.
    """

    marks: list[Any]
    source: int = 0
    rows: int = 0
    after: int | str | None = None
    base: int = 0
    first: int | str | None = None
    last: int | str | None = None
    written: int = 0
    skip: str | None = None
    skipped: int = 0
    faults: int = 0
    format: int = FORMAT


_PROGRESS = msgspec.json.Decoder(Progress)


class StateFile:
    """The file of one import, locked until it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise TransferError(
                f"{path}: the import cannot note there how far it is: {error.strerror}; --state "
                "FILE names another place"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise TransferError(f"{path}: another import of the same is running") from None

    def load(self) -> Progress | None:
        """Return how far it was, None where it has not begun. Raises TransferError."""
        try:
            held = _PROGRESS.decode(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise TransferError(
                f"{self.path}: expected how far an import is: {error}; --restart begins anew"
            ) from error
        if held.format != FORMAT:
            raise TransferError(
                f"{self.path}: expected format {FORMAT}, got {held.format}; --restart begins anew"
            )
        return held

    def save(self, progress: Progress) -> None:
        """Note how far it is."""
        new = self.path.with_name(self.path.name + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(progress))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def remove(self) -> None:
        """Forget it: it is done, or is to begin anew."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others run it."""
        os.close(self._lock)


def default_path(what: Mapping[str, Any], environment: Mapping[str, str]) -> Path:
    """Return where an import notes how far it is, by all that makes it the same."""
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    name = hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()[:32]
    return Path(home) / "palimpsest" / f"import-{name}.json"
