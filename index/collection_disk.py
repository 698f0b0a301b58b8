"""What a collection takes on disk, by what it is taken for; no row is read.

What the store takes is divided by how long its rows are on average (``index.storage.lengths``): the
parts are estimates, their sum is not.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.storage.local import Local
from palimpsest.index.upkeep.recover import ADAPTERS, FIELDS, STORE
from palimpsest.index.upkeep.scrub import Scrub
from palimpsest.index.view.view import AnyVectors, View
from palimpsest.index.write.writer import Writer

COMPONENTS = (
    "vectors",  # as they were given, or as much of them as is kept
    "codes",
    "graph",  # and posting lists: what vectors are searched by
    "growing",  # rows that are not sealed yet, in the store
    "payloads",
    "ids",  # with all that says where the vectors of a point are, and its index
    "indexes",  # of payloads
    "adapters",
    "wal",
    "free",  # pages of the store that are given back, or written again
    "lost_found",
    "other",  # small tables, and what describes folders
)
_IDS = ("slots", "by_slot", "seqs", "numbers", "ids", "starts", "given_starts")
_CODES = ("codes", "encoder_", "token", "lists_centroids", "lists_signs")
_GRAPH = ("graph_", "postings_", "lists_")  # less what are codes
_OF_FINDER = "rows_"  # begins the files of what finds candidates among sets
_TABLES = 24  # pages that a store without rows takes
_KEPT_SECONDS = 1.0  # of what was looked up, while nothing is written


class DiskUse:
    """Of one collection; any thread may ask, and no file is opened for it."""

    def __init__(self, folder: Path, writer: Writer, scrub: Scrub) -> None:
        self._folder, self._writer, self._scrub = folder, writer, scrub
        self._lock = threading.Lock()
        self._known: tuple[int, float, Mapping[str, int]] | None = None

    def by_component(self) -> Mapping[str, int]:
        """Return bytes by component, all of ``COMPONENTS``.

        Folders of what a reader still holds, and copies elsewhere, are not counted.

        Raises:
            FileNotFoundError: the collection was dropped.
        """
        # Every change is a job or a write, so what was looked up holds for as many of them.
        served, now = self._writer.served, time.monotonic()
        with self._lock:
            known = self._known
            if known is None or known[0] != served or now > known[1]:
                sizes = self._by_component(self._writer.view)
                known = self._known = served, now + _KEPT_SECONDS, sizes
            return known[2]

    def _by_component(self, view: View) -> Mapping[str, int]:
        sizes: Counter[str] = Counter(dict.fromkeys(COMPONENTS, 0))
        for vectors in view.vectors.values():
            for part in vectors.sealed:
                for name, nbytes in part.segment.disk.items():
                    sizes[component_of(name)] += nbytes
        sizes.update(self._of_store(view))
        for component, name in (("indexes", FIELDS), ("adapters", ADAPTERS)):
            sizes[component] += Local(self._folder / name).size()
        sizes["lost_found"] += self._scrub.integrity().lost_found_bytes
        return sizes

    def _of_store(self, view: View) -> Mapping[str, int]:
        store = self._writer.store
        pages, lengths = store.pages, store.lengths
        size = (self._folder / STORE).stat().st_size
        used = min(pages.used_bytes, size)  # the rest is in the log until that is moved
        other = min(used, _TABLES * pages.size)
        shares = {
            "payloads": 0 if lengths is None else lengths.payload * view.points,
            "ids": 0 if lengths is None else lengths.ids * view.points,
            "growing": sum(_growing_bytes(vectors) for vectors in view.vectors.values()),
        }
        whole = sum(shares.values())
        if not whole:
            return {"other": used, "free": size - used, "wal": _log_bytes(self._folder)}
        found = {name: int((used - other) * share / whole) for name, share in shares.items()}
        rest = used - sum(found.values())
        return {**found, "other": rest, "free": size - used, "wal": _log_bytes(self._folder)}


def component_of(name: str) -> str:
    """Return what a file of a segment is for, by its name."""
    name = name.removeprefix(_OF_FINDER)
    if name.removesuffix(".npy") in _IDS:
        return "ids"
    if name.startswith(_CODES):
        return "codes"
    return "graph" if name.startswith(_GRAPH) else "vectors"


def _growing_bytes(vectors: AnyVectors) -> float:
    rows = sum(part.n for part in vectors.growing)  # dead ones too, until they are sealed
    return kind_of(vectors.config).live_bytes(vectors) / max(vectors.live, 1) * rows


def _log_bytes(folder: Path) -> int:
    with suppress(FileNotFoundError):  # it is gone while a collection rests
        return (folder / f"{STORE}-wal").stat().st_size
    return 0
