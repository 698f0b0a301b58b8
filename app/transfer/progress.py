"""How far it is, for whoever looks at a terminal; silent anywhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from tqdm import tqdm

EVERY = 0.2  # seconds between two drawings


class Bar(Protocol):
    """A bar that is drawn."""

    def update(self, n: float = 1) -> object:
        """Say that so many more are done."""

    def close(self) -> object:
        """Leave it as it is."""


def bytes_bar(what: str, total: int | None) -> AbstractContextManager[Bar]:
    """Return a bar of bytes, which closes itself."""
    shown: AbstractContextManager[Bar] = tqdm(
        desc=what,
        total=total,
        unit="B",
        unit_scale=True,
        unit_divisor=1000,
        mininterval=EVERY,
        disable=None,
    )
    return shown


def bar(what: str, total: int | None, done: int = 0) -> Bar:
    """Return a bar of points on standard error, of which some may have been done before."""
    shown: Bar = tqdm(
        desc=what, total=total, initial=done, unit=" points", mininterval=EVERY, disable=None
    )
    return shown
