"""What can be written to a collection: checked in the caller's thread, then queued.

Each call takes the config once, so all its names mean what they meant together, and gives a future
of the write's seq, done once it is synced and searchable.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from palimpsest.index.filters.expression import Filter, Path
from palimpsest.index.payload.edits import delete_keys, merge, merge_at
from palimpsest.index.view.virtual_collection import Shown
from palimpsest.index.write.batch import (
    PointBatch,
    Selection,
    UpdateMode,
    check_deleted,
    check_upsert,
    check_vector_update,
    check_whose,
)
from palimpsest.index.write.requests import Deletion, Edit, PayloadEdit, VectorDeletion
from palimpsest.index.write.writer import Writer


class PointWrites:
    """The writes of one collection, under the names that are shown of it."""

    def __init__(self, writer: Writer, shown: Shown) -> None:
        """Take who carries writes out, and what says what names mean."""
        self.writer, self._shown = writer, shown

    def upsert(
        self, batch: PointBatch, *, mode: UpdateMode = "upsert", condition: Filter | None = None
    ) -> Future[int]:
        """Insert or replace whole points.

        Args:
            batch: the points.
            mode: ``insert_only`` leaves points that exist alone, ``update_only`` inserts none.
            condition: what a point that exists must pass to be replaced.

        Raises:
            InvalidInput: one of its subclasses, at once; nothing of the batch is written.
        """
        return self.writer.write(check_upsert(batch, self._shown.config, mode, condition))

    def update_vectors(self, batch: PointBatch, *, condition: Filter | None = None) -> Future[int]:
        """Insert or replace vectors of points that exist; payloads are left alone.

        Raises:
            InvalidInput: one of its subclasses, at once; nothing of the batch is written.
            PointNotFound: by the future: a point is missing; the others are written.
        """
        return self.writer.write(check_vector_update(batch, self._shown.config, condition))

    def delete(self, whose: Selection) -> Future[int]:
        """Delete points; ids without a point are fine. Raises InvalidId at once."""
        return self.writer.write(Deletion(check_whose(whose, self._shown.config)))

    def delete_vectors(self, whose: Selection, names: Sequence[str]) -> Future[int]:
        """Delete the vectors of some names; those of all versions unless one is named.

        In the virtual collection of a version the bare name is that version's alone.

        Raises:
            UnknownVectorName: at once.
            PointNotFound: by the future: a point is missing; the others are written.
        """
        config = self._shown.config
        deleted = check_deleted(names, config)
        return self.writer.write(VectorDeletion(check_whose(whose, config), deleted))

    def set_payload(self, whose: Selection, payload: bytes, at: Path = ()) -> Future[int]:
        """Set keys of payloads, or of the object at a path in them; other keys stay.

        Raises:
            InvalidInput: one of its subclasses, at once.
            PointNotFound: by the future: a point is missing; the others are written.
        """
        return self._edit(
            whose, lambda old: merge_at(old, at, payload) if at else merge(old, payload)
        )

    def overwrite_payload(self, whose: Selection, payload: bytes) -> Future[int]:
        """Replace payloads. Raises as ``set_payload``."""
        return self._edit(whose, lambda _: payload)

    def delete_payload(self, whose: Selection, paths: Sequence[Path]) -> Future[int]:
        """Delete what is at paths of payloads. Raises as ``set_payload``."""
        return self._edit(whose, lambda old: delete_keys(old, paths), frees=True)

    def clear_payload(self, whose: Selection) -> Future[int]:
        """Delete payloads. Raises as ``set_payload``."""
        return self._edit(whose, lambda _: None, frees=True)

    def _edit(self, whose: Selection, edit: Edit, *, frees: bool = False) -> Future[int]:
        return self.writer.write(PayloadEdit(check_whose(whose, self._shown.config), edit, frees))
