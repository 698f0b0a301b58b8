"""Payload indexes that are built in threads of their own."""

from __future__ import annotations

import threading


def wait_until_built() -> None:
    """Wait for all payload indexes that are being built."""
    for thread in threading.enumerate():
        if thread.name == "fields":
            thread.join(10)
