"""What ends a command: the text says why, and what to do."""

from __future__ import annotations


class TransferError(Exception):
    """It cannot go on: what is asked for, or what a source holds, has to change."""

    exit_status = 1


class WrongUse(TransferError):
    """The words of the command line do not say what to do, or contradict each other."""

    exit_status = 2


class Unreachable(TransferError):
    """The server cannot be reached, or has had no room for too long: the same again may succeed."""

    exit_status = 3


class Refused(TransferError):
    """The server answered a call with an error.

    Attributes:
        status: of HTTP.
        reason: the server's own text.
    """

    def __init__(self, call: str, status: int, reason: str) -> None:
        super().__init__(f"{call}: {status}: {reason}")
        self.status = status
        self.reason = reason


class BadRow(TransferError):
    """A row of a source is no point that the collection takes."""
