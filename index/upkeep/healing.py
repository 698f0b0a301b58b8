"""Writes anew, from what is in memory, files that a scrub found damaged.

What was loaded was checked when it was opened, and is whole whatever became of its file since. A
segment is written again by the compaction that is due for one that lacks files; payload indexes and
adapters are written to fresh folders, which take the place of the damaged ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from palimpsest.index.checks.findings import Finding
from palimpsest.index.errors import PalimpsestError
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, SEGMENTS
from palimpsest.index.upkeep.payload_indexing import PayloadIndexing
from palimpsest.index.versions.lifecycle import put_fitted
from palimpsest.index.view.view import AnyVectors
from palimpsest.index.write.writer import Writer

_LOADED = {"ids.npy", "numbers.npy"}  # beside what is spare; the rest is read from the file
_log = logging.getLogger(__name__)


class Healing:
    """Of one collection; belongs to the thread that scrubs."""

    def __init__(
        self,
        writer: Writer,
        fields: PayloadIndexing,
        adapters: Directory,
        changed: Callable[[], None],
    ) -> None:
        self._writer, self._fields = writer, fields
        self._adapters, self._changed = adapters, changed

    def heal(self, finding: Finding) -> None:
        """See to it that what a finding is about is written anew, if it can be."""
        if finding.check != "files" or self._writer.store.read_only:
            return
        folder = finding.file.parent
        kind, name = folder.parent.name, folder.name
        try:
            if kind == FIELDS:
                self._fields.write_anew(name)
            elif kind == ADAPTERS:
                self._write_adapter(name)
            elif kind == SEGMENTS and (
                finding.severity == "damage" or finding.file.name in _LOADED
            ):
                self._writer.call(lambda: self._mark(name, finding.file.name)).result()
                self._changed()
        except PalimpsestError as error:
            _log.warning("%s could not be written anew: %s", folder, error)

    def _write_adapter(self, folder: str) -> None:
        # its tables are others once it was woken: asked for by the job itself
        entries = self._writer.call(lambda: self._writer.store.adapters.entries()).result()
        for entry in entries:
            ends = entry.rows, entry.queries
            fitted = self._writer.fitted.get(ends)
            if entry.folder == folder and fitted is not None:
                put_fitted(self._writer, self._adapters, ends, fitted, instead_of=fitted)

    def _mark(self, segment: str, file: str) -> None:
        """Let a segment count as one that lacks a file; a job."""
        view = self._writer.view
        vectors = {column: _marked(one, segment, file) for column, one in view.vectors.items()}
        self._writer.publish(replace(view, vectors=vectors))


def _marked(vectors: AnyVectors, segment: str, file: str) -> AnyVectors:
    parts = [
        replace(part, segment=replace(part.segment, lacking=(*part.segment.lacking, file)))
        if part.segment.name == segment and file not in part.segment.lacking
        else part
        for part in vectors.sealed
    ]
    return replace(vectors, sealed=tuple(parts))
