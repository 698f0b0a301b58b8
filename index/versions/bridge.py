"""How queries of one version find the points that only another version holds."""

from __future__ import annotations

from dataclasses import dataclass

from index.versions.fitted import Fitted


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """From queries of one version to the rows of another one of the same vector name.

    ``column`` is the vector name of the rows in a view. Without ``fitted`` there is no way across:
    points that would have to be found so are an error where they are ``needed``, which those of a
    version that was never active are not.
    """

    column: str
    vector: str
    rows: str
    queries: str
    needed: bool
    fitted: Fitted | None
    damage: str | None = None  # of the adapter there was
