"""Numbers about a view, read off without looking at rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig, VersionConfig
from palimpsest.index.config.versions import space_of
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.payload.loading import Reason
from palimpsest.index.recall.interval import interval_of
from palimpsest.index.segments.recent import Recent
from palimpsest.index.types import (
    CollectionInfo,
    CollectionWork,
    Drift,
    FieldInfo,
    Integrity,
    JobKind,
    SampledRecall,
    VectorInfo,
    VersionInfo,
)
from palimpsest.index.upkeep.recover import STORE
from palimpsest.index.upkeep.upkeep import Upkeep
from palimpsest.index.view.view import AnyVectors, View
from palimpsest.index.write.jobs import Jobs
from palimpsest.index.write.writer import Writer

LOG = f"{STORE}-wal"


def collection_state(
    folder: Path,
    view: View,
    writer: Writer,
    upkeep: Upkeep,
    rebuilds: Mapping[Reason, int],
    integrity: Integrity,
) -> CollectionInfo:
    """Return counts, sizes and the state of background work."""
    indexes = writer.indexes
    points = indexes.points
    fields = {
        key: FieldInfo(index.declared, points.get(key, 0))
        for key, index in indexes.declared.items()
    }
    return CollectionInfo(
        store_id=f"{writer.store.reach.store:016x}",
        points=view.points,
        seq=view.seq,
        pending=upkeep.due.pending(),
        running=upkeep.running(),
        last_error=upkeep.last_error or next(iter(writer.damaged.values()), None),
        put_off=upkeep.put_off,
        refuses_writes=writer.refuses,
        vectors=_vector_states(view),
        fields=fields,
        store_bytes=store_bytes(folder),
        rebuilds={reason: count for reason, count in rebuilds.items()},
        integrity=integrity,
    )


def _vector_states(view: View) -> dict[str, VectorInfo]:
    """Return the states of all vectors, with the factors that adapters keep of their rows."""
    states = {column: vector_state(one) for column, one in view.vectors.items()}
    for bridges in view.bridges.values():
        for bridge in bridges:
            if bridge.fitted is not None:
                state = states[bridge.column]
                kept = sum(factors.nbytes for factors in bridge.fitted.of_rows)
                held = state.bytes_by_component.get("factors", 0) + kept
                sizes = {**state.bytes_by_component, "factors": held}
                states[bridge.column] = replace(state, bytes_by_component=sizes)
    return {view.config.name_of(column): state for column, state in states.items()}


def collection_work(folder: Path, writer: Writer, jobs: Jobs, upkeep: Upkeep) -> CollectionWork:
    """Return what was done, and what waits; opens no file."""
    store, times = writer.store, jobs.times
    return CollectionWork(
        commits=store.commits,
        syncs=store.syncs,
        builds=times.builds,
        jobs=times.ended.copy(),
        job_seconds=times.seconds.copy(),
        queued=writer.waiting,
        waiting_seconds=upkeep.due.waiting_seconds(),
        log_bytes=_size_of(folder / LOG),
        running=_running(jobs),
    )


def _running(jobs: Jobs) -> dict[JobKind, tuple[int, float]]:
    """Return how many jobs of each kind run, and how far the first one is."""
    found: dict[JobKind, tuple[int, float]] = {}
    for job in jobs.running():
        info = job.info
        count, progress = found.get(info.kind, (0, info.progress))
        found[info.kind] = count + 1, progress
    return found


def store_bytes(folder: Path) -> int:
    """Return what the store and its log take on disk."""
    return _size_of(folder / STORE) + _size_of(folder / LOG)


def _size_of(file: Path) -> int:
    # The log is gone while a collection rests, and may go between two lines.
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def vector_state(vectors: AnyVectors) -> VectorInfo:
    """Return counts and resident bytes of one vector name."""
    sealed = sum(part.live for part in vectors.sealed)
    scanned = sum(part.live for part in vectors.sealed if part.segment.is_scanned)
    growing = sum(part.live for part in vectors.growing)
    return VectorInfo(
        points=sealed + growing,
        indexed=sealed - scanned,
        scanned=scanned,
        growing=growing,
        dead=sum(part.dead.count for part in vectors.sealed + vectors.growing),
        segments=len(vectors.sealed),
        outdated=sum(part.segment.is_outdated(vectors.config) for part in vectors.sealed),
        bytes_by_component=_resident(vectors),
        recall=kind_of(vectors.config).recall(vectors),
        sampled=sampled_recall(vectors.recent),
        unreached=_unreached(vectors),
    )


def _resident(vectors: AnyVectors) -> dict[str, int]:
    """Return resident bytes by component."""
    resident: Counter[str] = Counter()
    for part in vectors.sealed:
        resident.update(part.segment.resident)
    resident["queries"] = vectors.recent.nbytes
    resident["growing"] = sum(part.columns.nbytes for part in vectors.growing)
    return dict(resident)


def _unreached(vectors: AnyVectors) -> int | None:
    """Return how many rows no walk meets, None before the graphs of all segments were counted."""
    counts = [one.known_unreached for one in kind_of(vectors.config).walked(vectors)]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def sampled_recall(recent: Recent) -> list[SampledRecall]:
    """Return what samples of a name's searches found, of those that were sampled."""
    found = []
    for filtered in (False, True):
        total = recent.sampled(filtered=filtered)
        if total:
            of_late = recent.samples.of_late(filtered=filtered)
            known: Sequence[float | None] = (None, None, None)
            if of_late:
                known = fmean(of_late), *interval_of(of_late)
            found.append(SampledRecall(filtered, total, *known))
    return found


def version_states(
    view: View, gained: Callable[[int], int] = lambda column: 0
) -> list[VersionInfo]:
    """Return the versions of all vectors but sparse ones, in the order they were declared.

    Args:
        view: what holds them.
        gained: tells how many points got a column since the collection was opened.
    """
    config = view.config
    names = [name for name in config.names if name in config.embedded]
    return [info for name in names for info in _versions_of(view, config, name, gained)]


def drifted(view: View) -> list[tuple[VersionConfig, Drift]]:
    """Return the versions whose newest rows are of another model than their first ones."""
    config, found = view.config, []
    for name in config.names:
        for one in config.versions_of(name) if name in config.embedded else ():
            drift = view.vectors[config.column_of(one)].recent.drift
            if drift is not None and drift.foreign:
                found.append((one, drift))
    return found


def _versions_of(
    view: View, config: CollectionConfig, name: str, gained: Callable[[int], int]
) -> Iterator[VersionInfo]:
    versions = config.versions_of(name)
    held = {one.version: view.vectors[config.column_of(one)].held for one in versions}
    corpus = len(BitMap.union(BitMap(), *held.values()))
    for one in versions:
        space = space_of(config, one)
        points = len(held[one.version])
        sizes = _resident(view.vectors[config.column_of(one)])
        resident = sum(n for what, n in sizes.items() if not what.endswith("_mapped"))
        yield VersionInfo(
            vector=name,
            version=one.version,
            model=one.model,
            size=space.size,
            distance=space.distance,
            encoding=space.encoding,
            state=one.state,
            points=points,
            coverage=points / corpus if corpus else 1.0,
            bytes_per_vector=resident / points if points else 0.0,
            mapped_from=None if one.mapped is None else one.mapped[0],
            gained=gained(config.column_of(one)),
            drift=view.vectors[config.column_of(one)].recent.drift,
        )
