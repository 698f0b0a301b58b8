"""How long work tells how far it is, and is told to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class FitCancelled(Exception):
    """The fit was told to end; nothing came of it."""


def _ignore(share: float) -> None:
    """Tell nobody."""


def _never() -> bool:
    return False


class Watch(NamedTuple):
    """``progress`` is called with the share done, 0 to 1; ``cancelled`` is asked in between."""

    progress: Callable[[float], None] = _ignore
    cancelled: Callable[[], bool] = _never

    def reached(self, share: float) -> None:
        """Report progress. Raises FitCancelled where the work is to end."""
        if self.cancelled():
            raise FitCancelled
        self.progress(share)

    def part(self, start: float, end: float) -> Watch:
        """Return the watch of a piece of the work, from one share of the whole to another."""
        return Watch(lambda share: self.progress(start + (end - start) * share), self.cancelled)
