"""What can still be told of a collection that cannot be opened."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from index.collection_config import CollectionConfig
from index.recover import STORE
from index.storage.schema import connect
from index.storage.store import Store


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
        if path.exists():  # connecting would make the file
            with closing(Store(path, connect(path))) as store:
                config = CollectionConfig.from_json(store.config())
                points = store.position().points
    except Exception:
        pass  # `why` says what is wrong already
    return DamagedInfo(name, why, config, points)
