"""How a segment of any kind is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from palimpsest.index.storage.reserve import Admitted, anything

C = TypeVar("C")
PIECE = 1_024  # rows copied by one numpy call, which keeps other threads waiting


def never() -> bool:
    """Return False: what is not cancelled."""
    return False


@dataclass(frozen=True, slots=True)
class Build(Generic[C]):
    """How to build: ``cancelled`` is asked now and then, and ends the work early.

    ``said`` is put into the description of the segment. ``recent`` are queries of late. ``firm``
    tells how many of the threads do not give way to other work. ``admitted`` is held while a piece
    is written.
    """

    config: C
    seed: int = 0
    threads: int = 1
    cancelled: Callable[[], bool] = never
    said: Mapping[str, Any] = field(default_factory=dict)
    recent: Sequence[Any] = ()
    firm: Callable[[], int] = lambda: 0
    admitted: Admitted = anything
