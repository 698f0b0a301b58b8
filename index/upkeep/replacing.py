"""Puts a segment in the place of the parts it was made from.

Writing it takes long and happens beside the writer; putting it in place is a short job of the
writer. What was made of a column that was dropped meanwhile is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import StorageFull
from palimpsest.index.search.one_segment import closest_rows
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.seal import Build, live_rows, write_segment
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.sparse.growing import SparseGrowing
from palimpsest.index.segments.sparse.seal import live_sparse_rows, write_sparse
from palimpsest.index.segments.sparse.sealed import SparseSealed
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.entries import SegmentEntry
from palimpsest.index.storage.files import remove_folder
from palimpsest.index.storage.reserve import SIZE, anything
from palimpsest.index.types import Slots
from palimpsest.index.upkeep.follow import open_segment
from palimpsest.index.view.view import AnyGrowing, AnySealed, SealedPart, VectorView
from palimpsest.index.write.changes import Changes, Replaced, apply, has_parts
from palimpsest.index.write.writer import Writer

_UNBURIED = 4_096  # dead slots forgotten by one transaction
_FREEING, _OF_RESERVE = 0.9, 4  # what may be written of what is freed, and one part in this


_COLUMNS = 64  # bytes a row of ids, slots and numbers, in both parts
_SPARSE_TIMES = 5  # of stored entries: sorted twice over, then written


def bytes_to_write(
    config: VectorConfig | SparseConfig, parts: Sequence[AnyGrowing | SealedPart]
) -> int:
    """Return about how much memory it takes to write the live rows of parts as one segment.

    Dense rows are copied where they come from several parts or are rounded; the graph is built over
    8-bit rows, its links stand in memory twice in the end.
    """
    if isinstance(config, SparseConfig):
        return _SPARSE_TIMES * sum(
            part.segment.disk_bytes if isinstance(part, SealedPart) else part.columns.nbytes
            for part in parts
        )
    rows = sum(part.live for part in parts)
    whole = len(parts) == 1 and not isinstance(parts[0], SealedPart) and not parts[0].dead.count
    copied = 0 if whole and config.originals == "float32" else 4 * config.size
    codes = config.size if config.encoding == "float32" else config.size * int(config.encoding) // 8
    return rows * (copied + config.size + codes + 2 * 2 * 4 * config.M + _COLUMNS)


class Replacing:
    """Of one collection; ``cancelled`` is asked now and then, and ends the work early."""

    def __init__(
        self, segments: Directory, writer: Writer, threads: int, cancelled: Callable[[], bool]
    ) -> None:
        self._segments = segments
        self._writer = writer
        self._threads = threads
        self._cancelled = cancelled

    def replace(
        self,
        column: int,
        parts: Sequence[AnyGrowing | SealedPart],
        seals: int | None,
        firm: Callable[[], int] = lambda: 0,
    ) -> bool:
        """Write a segment of the parts' live rows and put it in their place.

        Args:
            column: of the vectors.
            parts: of that column.
            seals: the last slot that is in segments then, None where that stays as it was.
            firm: how many of the threads do not give way to other work, asked now and then.

        Returns:
            False when stopped, or when the column was dropped: then nothing has changed.
        """
        sources = [part.segment if isinstance(part, SealedPart) else part for part in parts]
        vectors = self._writer.view.vectors.get(column)
        if vectors is None or not has_parts(vectors, sources):
            return False
        frees = _frees(parts)
        planned = self._writer.plan_folder(frees=frees)
        checksum, made, folder = None, None, self._segments / planned
        try:
            if any(part.live for part in parts):
                dead = [part.dead for part in parts]
                some = list(zip(sources, dead, strict=True))
                checksum = self._write(folder, vectors, column, some, firm, frees)
                if checksum is None:
                    return False
                segment = open_segment(vectors.config, folder, checksum)
                self._prepare(column, segment)
                made = SealedPart(segment, Dead(), self._writer.leases.take(folder))
            publishing = self._writer.call(
                lambda: self._publish(column, sources, made, checksum, seals, frees)
            )
        except BaseException:
            remove_folder(folder)
            raise
        try:
            published = publishing.result()
        except StorageFull:  # after other failures the manifest may name the folder
            remove_folder(folder)
            raise
        if published:
            self._retire(parts)
            self._forget_dead(parts)
        else:
            remove_folder(folder)
        return published

    def _write(
        self,
        folder: Directory,
        vectors: VectorView,
        column: int,
        parts: Sequence[tuple[AnySealed | AnyGrowing, Dead]],
        firm: Callable[[], int],
        frees: bool,
    ) -> int | None:
        """Write the live rows of parts as a segment; return its checksum, None if stopped.

        Its description says which column it is of, and how far the store reached: what that of a
        store which lost its log is compared with, and what its rows are restored by.
        """
        said = {"vector": column, "reach": self._writer.store.reach.to_json()}
        config = vectors.config
        admitted = anything if frees else self._writer.store.admitted
        if isinstance(config, SparseConfig):
            sparse = [(p, d) for p, d in parts if isinstance(p, (SparseGrowing, SparseSealed))]
            rows = live_sparse_rows(sparse)
            return write_sparse(folder, rows, self._cancelled, said, admitted)
        dense = live_rows([(p, d) for p, d in parts if isinstance(p, (Growing, Sealed))])
        seed, recent = int(dense.slots.min()), vectors.recent.queries()
        build = Build(
            config, seed, self._threads, self._cancelled, said, closest_rows, recent, firm, admitted
        )
        return write_segment(folder, dense, build)

    def _prepare(self, column: int, segment: AnySealed) -> None:
        """Compute the factors of new rows before a search needs them."""
        if isinstance(segment, Sealed):
            for (rows, _), one in self._writer.fitted.items():
                if rows == column and one.adapter.scales_rows:
                    one.factors.of(segment.name, segment, segment.n)

    def _publish(
        self,
        column: int,
        gone: Sequence[AnyGrowing | AnySealed],
        made: SealedPart | None,
        checksum: int | None,
        seals: int | None,
        frees: bool,
    ) -> bool:
        """Replace parts by a segment, in the manifest and in the view; a job.

        Returns:
            False when the column was dropped meanwhile.
        """
        store, view = self._writer.store, self._writer.view
        if column not in view.vectors or not has_parts(view.vectors[column], gone):
            return False
        names = frozenset(part.name for part in gone if isinstance(part, (Sealed, SparseSealed)))
        change = Replaced(column, names, seals or 0, () if made is None else (made,))
        view = apply(view, Changes(view.seq, replaced=[change]))
        with store.transaction(frees=frees):
            if made is not None and checksum is not None:
                store.add_segment(SegmentEntry(made.segment.name, column, checksum))
            if seals is not None:
                store.staged.mark_sealed(column, seals)
            store.remove_segments([*names])
        self._writer.publish(view)  # nothing from the commit on can fail
        return True

    def _retire(self, parts: Sequence[AnyGrowing | SealedPart]) -> None:
        """Let the folders of segments go, which no table lists any more."""
        for part in parts:
            if isinstance(part, SealedPart):
                self._writer.leases.retire(self._segments / part.segment.name)

    def _forget_dead(self, parts: Sequence[AnyGrowing | SealedPart]) -> None:
        """Forget the dead slots whose rows were left out; until then they are merely useless."""
        for part in parts:
            whole = part.segment if isinstance(part, SealedPart) else part.columns
            slots = whole.slots
            dead = slots[part.dead.dead_rows(part.n)]
            for start in range(0, len(dead), _UNBURIED):
                some = dead[start : start + _UNBURIED]
                self._writer.call(lambda some=some: self._unbury(some)).result()  # type: ignore[misc]

    def _unbury(self, slots: Slots) -> None:
        with self._writer.store.transaction(frees=True):
            self._writer.store.dead.unbury(np.asarray(slots))


def _frees(parts: Sequence[AnyGrowing | SealedPart]) -> bool:
    """Tell whether a segment of the live rows gives back more of the disk than it takes.

    And takes little: rows that wait to be sealed leave pages to the store, none to the disk.
    """
    if not any(part.live for part in parts):
        return True
    sealed = [part for part in parts if isinstance(part, SealedPart)]
    taken = sum(part.segment.disk_bytes * part.live / part.n for part in sealed)
    given = sum(part.segment.disk_bytes for part in sealed)
    return len(sealed) == len(parts) and taken < min(_FREEING * given, SIZE // _OF_RESERVE)
