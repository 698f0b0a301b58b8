"""Puts a segment in the place of the parts it was made from.

Writing it takes long and happens beside the writer; putting it in place is a short job of the
writer. What was made of a column that was dropped meanwhile is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from palimpsest.index.errors import StorageFull
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.search.mapped_query import factors_of
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.recent import RECENT
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.entries import SegmentEntry
from palimpsest.index.storage.files import remove_folder
from palimpsest.index.storage.reserve import SIZE, anything
from palimpsest.index.types import Slots
from palimpsest.index.view.dense import DensePart, dense_of
from palimpsest.index.view.means import means_view
from palimpsest.index.view.view import AnyPart, AnySealed, AnyVectors, SealedPart
from palimpsest.index.write.changes import Changes, Replaced, apply, has_parts
from palimpsest.index.write.writer import Writer

_UNBURIED = 4_096  # dead slots forgotten by one transaction
_FREEING, _OF_RESERVE = 0.9, 4  # what may be written of what is freed, and one part in this


def bytes_to_write(vectors: AnyVectors, parts: Sequence[AnyPart]) -> int:
    """Return about how much memory it takes to write the live rows of parts as one segment."""
    return kind_of(vectors.config).bytes_to_write(vectors.config, parts)


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
        parts: Sequence[AnyPart],
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
        gone = [part.columns for part in parts]
        names = frozenset(part.folder for part in parts if part.folder is not None)
        vectors = self._writer.view.vectors.get(column)
        if vectors is None or not has_parts(vectors, gone):
            return False
        frees = _frees(parts)
        # The store knows the name before there is a file of it: what a crash leaves is deleted at
        # the next open, where a folder that nobody planned is set aside instead.
        planned = self._writer.plan_folder(frees=frees)
        checksum, made, folder = None, None, self._segments / planned
        try:
            if any(part.live for part in parts):
                checksum = self._write(folder, vectors, column, parts, firm, frees)
                if checksum is None:
                    return False
                # Read back and checked in full before it replaces anything: what was written
                # wrongly is found while the old parts are still there.
                segment = kind_of(vectors.config).open(folder, checksum)
                made = SealedPart(segment, Dead(), self._writer.leases.take(folder))
                # Before it is published: else the first searches would each compute them, and wait.
                self._prepare(column, replace(vectors, sealed=(made,)))
            # parts are told by what has no lease, for the writer keeps its last job
            publishing = self._writer.call(
                lambda: self._publish(column, gone, names, made, checksum, seals, frees)
            )
        except BaseException:
            remove_folder(folder)
            raise
        try:
            published = publishing.result()
        # A sync that failed, or an error after the commit, leaves open whether the entry is on
        # disk. A folder too many is found at the next open; one too few would be damage.
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
        vectors: AnyVectors,
        column: int,
        parts: Sequence[AnyPart],
        firm: Callable[[], int],
        frees: bool,
    ) -> int | None:
        """Write the live rows of parts as a segment; return its checksum, None if stopped.

        Its description says which column it is of, and how far the store reached: what that of a
        store which lost its log is compared with, and what its rows are restored by.
        """
        said = {"vector": column, "reach": self._writer.store.reach.to_json()}
        config = vectors.config
        build = Build(
            config,
            threads=self._threads,
            cancelled=self._cancelled,
            said=said,
            recent=vectors.recent.queries(RECENT),
            firm=firm,
            admitted=anything if frees else self._writer.store.admitted,
        )
        return kind_of(config).seal(folder, [(part.source, part.dead) for part in parts], build)

    def _prepare(self, column: int, new: AnyVectors) -> None:
        """Compute the factors of new rows before a search needs them."""
        for (rows, _), one in self._writer.fitted.items():
            new_parts: Sequence[DensePart]
            if rows == column and one.over == "means of rows":
                new_parts = means_view(new, one.means).growing
            elif rows == column and one.over != "tokens":
                new_parts = dense_of(new).sealed
            else:
                continue
            if one.adapter.scales_rows:
                for part in new_parts:
                    factors_of(one.factors, part)

    def _publish(
        self,
        column: int,
        gone: Sequence[object],
        names: frozenset[str],
        made: AnySealed | None,
        checksum: int | None,
        seals: int | None,
        frees: bool,
    ) -> bool:
        """Replace parts by a segment, in the manifest and in the view; a job.

        Returns:
            False when the column was dropped meanwhile.
        """
        store, view = self._writer.store, self._writer.view
        # Minutes have passed since the parts were chosen. A column of the same number may be
        # another by now, so that the parts themselves are looked for.
        if column not in view.vectors or not has_parts(view.vectors[column], gone):
            return False
        change = Replaced(column, names, seals or 0, () if made is None else (made,))
        view = apply(view, Changes(view.seq, replaced=[change]))
        with store.transaction(frees=frees):
            if made is not None and checksum is not None:
                store.add_segment(SegmentEntry(made.segment.name, column, checksum))
            if seals is not None:
                store.staged.mark_sealed(column, seals)
            store.remove_segments([*names])
        # The view was made before the transaction, with all that may want memory.
        self._writer.publish(view)  # nothing from the commit on can fail
        return True

    def _retire(self, parts: Sequence[AnyPart]) -> None:
        """Let the folders of segments go, which no table lists any more."""
        for part in parts:
            if part.folder is not None:
                self._writer.leases.retire(self._segments / part.folder)

    def _forget_dead(self, parts: Sequence[AnyPart]) -> None:
        """Forget the dead slots whose rows were left out; until then they are merely useless."""
        for part in parts:
            dead = part.columns.slots[part.dead.dead_rows(part.n)]
            # In small transactions: until all are forgotten they only name rows that are nowhere,
            # so that a crash between two of them costs nothing.
            for start in range(0, len(dead), _UNBURIED):
                some = dead[start : start + _UNBURIED]
                self._writer.call(lambda some=some: self._unbury(some)).result()  # type: ignore[misc]

    def _unbury(self, slots: Slots) -> None:
        with self._writer.store.transaction(frees=True):
            self._writer.store.dead.unbury(np.asarray(slots))


def _frees(parts: Sequence[AnyPart]) -> bool:
    """Tell whether a segment of the live rows gives back more of the disk than it takes.

    And takes little: rows that wait to be sealed leave pages to the store, none to the disk.
    """
    if not any(part.live for part in parts):
        return True
    taken = sum(part.stored_bytes * part.live / part.n for part in parts)
    given = sum(part.stored_bytes for part in parts)
    is_sealed = all(part.folder is not None for part in parts)
    return is_sealed and taken < min(_FREEING * given, SIZE // _OF_RESERVE)
