"""Breaks one check of a server on purpose, for trials that must find that out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def skip_files() -> None:
    """Take any file of a folder for what was written."""
    import palimpsest.index.storage.files as files

    files._require_equal = lambda *_: None


def skip_rows() -> None:
    """Take any row of a store for what was written."""
    from palimpsest.index.storage.sums import Check

    def nothing(*_: Any, **__: Any) -> list[int]:
        return []

    Check.bad = nothing  # type: ignore[method-assign]


def drop_refused() -> None:
    """Delete the segments of a collection that is refused."""
    import shutil

    import palimpsest.index.upkeep.recover as recover
    from palimpsest.index.errors import Damaged

    follow = recover.follow

    def delete(store: Any, files: Any, *others: Any) -> Any:
        try:
            return follow(store, files, *others)
        except Damaged:
            shutil.rmtree(files.path / recover.SEGMENTS)
            raise

    recover.follow = delete


BLIND: Mapping[str, Callable[[], None]] = {
    "files": skip_files,
    "rows": skip_rows,
    "refused": drop_refused,
}
