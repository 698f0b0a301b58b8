"""What can still be told of a collection that cannot be opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.storage.schema import peek
from palimpsest.index.upkeep.recover import STORE


@dataclass(frozen=True, slots=True)
class DamagedInfo:
    """A collection that cannot be opened: why, and what its store still says, None for nothing."""

    name: str
    why: str
    config: CollectionConfig | None
    points: int | None


def read_damaged(name: str, folder: Path, why: str) -> DamagedInfo:
    """Read what can be read; raises nothing, for anything in there may be wrong."""
    path = folder / STORE
    config: CollectionConfig | None = None
    points: int | None = None
    try:
        described, points = peek(path)
        config = CollectionConfig.from_json(described)
    except Exception:
        pass  # `why` says what is wrong already
    return DamagedInfo(name, why, config, points)
