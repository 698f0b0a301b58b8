"""One command from its words to its exit status."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from palimpsest.app.commands.connection import address_of
from palimpsest.app.commands.output import tell
from palimpsest.app.transfer.client import Client
from palimpsest.app.transfer.errors import TransferError, WrongUse

INTERRUPTED = 128 + signal.SIGINT  # status, as shells have it
FAILED = 1


def run_command(command: str, given: Mapping[str, Any]) -> int:
    """Run a command with the values of its arguments, and return the exit status."""
    try:
        _check_yes(command, given)
        address = address_of(given["url"], given["api_key_file"], given["ca"], os.environ)
        with Client(address) as client:
            _run_of(command)(client, given)
    except TransferError as error:
        tell(str(error))
        return error.exit_status
    except OSError as error:  # a full disk, a file that may not be written
        tell(str(error))
        return FAILED
    except KeyboardInterrupt:
        tell(_after_interrupt(command))
        return INTERRUPTED
    return 0


def _run_of(command: str) -> Callable[[Client, Mapping[str, Any]], None]:
    # Of all that transfers load the others need nothing.
    if command == "collections":
        from palimpsest.app.commands import collections

        return collections.run
    if command == "snapshot":
        from palimpsest.app.commands import snapshots

        return snapshots.run
    from palimpsest.app.commands import moving

    return moving.bring if command == "import" else moving.write_out


def _check_yes(command: str, given: Mapping[str, Any]) -> None:
    if given.get("yes") is False:
        raise WrongUse(
            f"{command} {given['action']}: what was there is gone then: say --yes if it is meant"
        )


def _after_interrupt(command: str) -> str:
    if command in ("import", "export"):
        return f"{command}: interrupted: the same command goes on where it was"
    return f"{command}: interrupted: what was asked for may have been done"
