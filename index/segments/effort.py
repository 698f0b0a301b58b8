"""How hard the searches of one segment try, beside what a search's plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Effort(NamedTuple):
    """Times the plan's candidates of a walk, times those rescored; or a scan of every row.

    ``scan``: kept rows are compared instead of walking, codes where none are kept.
    """

    ef: float = 1.0
    rescoring: float = 1.0
    scan: bool = False

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Effort:
        """Return the effort a segment's description states; the plan's own where it states none."""
        return cls() if stored is None else cls(**stored)

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` takes."""
        return self._asdict()


PLANNED = Effort()
