"""What each kind of write does to the store, and to the view once it is committed.

A write is checked before it gets here. Whose points it is about is settled inside the transaction:
by key, or by the numbers a filter meant just before. A write to points that do not exist changes
those that do, and then fails naming the first that was missing, as Qdrant's server does. Only a
write that changes nothing fails otherwise: the others of its transaction are carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.errors import DamagedPoint, InvalidInput, PointNotFound, UnknownVectorName
from palimpsest.index.filters.expression import Filter
from palimpsest.index.payload.edits import is_same
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.entries import Held, Position, StagedRows
from palimpsest.index.storage.ids import Key, id_of_key
from palimpsest.index.storage.store import Store
from palimpsest.index.types import Slots
from palimpsest.index.write.batch import Column, Upsert, VectorUpdate
from palimpsest.index.write.changes import Changes, NewRows
from palimpsest.index.write.numbering import Draft, as_numbers
from palimpsest.index.write.requests import (
    Deletion,
    Edit,
    Keys,
    PayloadEdit,
    VectorDeletion,
    Write,
    names_of,
)

# where a point's vectors are by their own rows, by its number, key and the number of columns
TrueSlots: TypeAlias = Callable[[int, Key, int], NDArray[np.uint64] | None]


@dataclass(frozen=True, slots=True, eq=False)
class PayloadChanges:
    """Payloads before and after one write, None where there was none or no point."""

    numbers: Sequence[int]
    before: Sequence[bytes | None]
    after: Sequence[bytes | None]
    unknown: Sequence[int] = ()  # numbers of which ``before`` says nothing: they were damaged


@dataclass(slots=True)
class CommitGroup:
    """What one transaction has written so far.

    What ``config`` declares may have changed since a write was checked. Payloads are followed only
    where some field is ``indexed``, and ``recorded`` as touched where one has a folder to be
    brought up to date.
    """

    store: Store
    config: CollectionConfig
    indexed: bool
    recorded: bool
    position: Position
    draft: Draft
    true_slots: TrueSlots
    rows: list[NewRows] = field(default_factory=list)
    dead: list[Slots] = field(default_factory=list)
    payloads: list[PayloadChanges] = field(default_factory=list)
    touched: list[tuple[Sequence[int], int]] = field(default_factory=list)
    edited: int = 0  # points written without a row
    _unknown: list[int] = field(default_factory=list)  # of the write being carried out

    def finish(self) -> Changes:
        """Record where the log stands now; return what the view has to follow."""
        at = self.position
        self.position = Position(at.seq, at.slot, len(self.draft.live))
        self.store.move_to(self.position)
        dead = np.concatenate([np.empty(0, dtype=np.uint64), *self.dead])
        seq, live = self.position.seq, self.draft.live
        return Changes(seq, rows=self.rows, dead=dead, live=live, touched=self.touched)

    def put(self, write: Write, meant: BitMap | None) -> None:
        """Carry out one write.

        Args:
            write: the write.
            meant: the numbers its filter means, None when it has none.

        Raises:
            UnknownVectorName: a name was dropped while the write waited; nothing is written.
            InvalidInput: a payload cannot be edited; nothing is written.
            PointNotFound: a point is missing; the others are written.
            DamagedPoint: a point is damaged, and is not replaced or deleted as a whole; nothing
                is written.
        """
        # It was checked when it was submitted, by another thread and perhaps another config; from
        # here on it is the only writer.
        for name, number in names_of(write).items():
            if number not in self.config.spaces:
                raise UnknownVectorName(name, list(self.config.vectors))
        at = self.position
        # Also of a write that then fails alone: a seq is never given twice, and what is skipped is
        # nothing.
        self.position = Position(at.seq + 1, at.slot, at.points)
        self._unknown = []
        match write:
            case Upsert():
                self._upsert(write, meant)
            case VectorUpdate():
                self._update_vectors(write, meant)
            case Deletion():
                self._delete(self._held_or_lost(write.whose, meant))
            case PayloadEdit():
                held = self._held(write.whose, meant, with_payload=True)
                self._edit(held, write.edit)
                _require_all(write.whose, held)
            case VectorDeletion():
                held = self._held(write.whose, meant, with_payload=False)
                self._delete_vectors(held, [*write.names.values()])
                _require_all(write.whose, held)

    @property
    def seq(self) -> int:
        """Of the write being carried out, or the last one."""
        return self.position.seq

    def _held(
        self, whose: Keys | Filter, meant: BitMap | None, *, with_payload: bool
    ) -> dict[Key, Held]:
        if isinstance(whose, Filter):
            assert meant is not None
            held = self.store.points.find_numbers(list(meant), with_payload=with_payload)
            # Every live number has a row: one without was lost, and to pass over it would be to
            # answer that it was changed.
            if len(held) < len(meant):  # the filter was evaluated just before
                lost = (meant - BitMap([one.number for one in held.values()]))[0]
                raise DamagedPoint(self.store.path, f"of number {lost}", "is in no row")
            return held
        return self.store.points.find(whose, with_payload=with_payload)

    def _held_or_lost(self, whose: Keys | Filter, meant: BitMap | None) -> dict[Key, Held]:
        if isinstance(whose, Filter):
            return self._held(whose, meant, with_payload=self.indexed)
        return self._found_or_lost(whose)

    def _found_or_lost(self, keys: Keys) -> dict[Key, Held]:
        """Return stored points that are to go as a whole: damaged ones by what else is known.

        Raises:
            DamagedPoint: where its vectors are is not known for sure.
        """
        spared = Spared()
        held = self.store.points.find(keys, with_payload=self.indexed, spared=spared)
        for number, error in spared.errors.items():
            # Numbers below zero stand for points of which only the id is known.
            key = self.store.points.key_of(number) if number >= 0 else None
            slots = None if key is None else self.true_slots(number, key, len(self.config.columns))
            if key is None or slots is None:
                raise error
            held[key] = Held(number, slots, None)
            self._unknown.append(number)
        return held

    # Points.

    def _upsert(self, write: Upsert, meant: BitMap | None) -> None:
        # Payloads are compared only then: reading them would make every other upsert dearer.
        versioned = any(column.number in self.config.other_versions for column in write.columns)
        if versioned:
            held = self.store.points.find(write.keys, with_payload=True)
        else:
            held = self._found_or_lost(write.keys)
        if write.mode != "upsert" or meant is not None:
            kept = [
                place
                for place, key in enumerate(write.keys)
                if _is_admitted(held.get(key), write.mode, meant)
            ]
            write = write.only(np.array(kept, dtype=np.int64))
            if not kept:
                return
        # A point that is there keeps its number: payload indexes and rows of other versions go by
        # it.
        fresh = iter(self.draft.take(sum(key not in held for key in write.keys)))
        numbers = [one.number if (one := held.get(key)) else next(fresh) for key in write.keys]
        slots = self._kept_versions(write, held) if versioned else self._no_slots(len(write.keys))
        # Before the points: `slots` is filled by it with where the new rows are.
        self._stage(write, np.array(numbers, dtype=np.uint32), slots)
        there = [place for place, key in enumerate(write.keys) if key in held]
        old = self._slots([held[write.keys[place]] for place in there])
        # Not those of versions that are kept: their rows go on standing for the point.
        self._bury([old[old != slots[there]]])
        self.store.points.insert(numbers, write.keys, self.seq, slots, write.payloads)
        self._touch(numbers, write.columns)
        before = [one.payload if (one := held.get(key)) else None for key in write.keys]
        self._follow(numbers, before, write.payloads)

    def _delete(self, held: Mapping[Key, Held]) -> None:
        numbers = [one.number for one in held.values()]
        self._bury([one.slots for one in held.values()])
        self.store.points.delete(numbers)
        self.draft.give_back(numbers)
        self._follow(numbers, [one.payload for one in held.values()], [None] * len(numbers))

    def _touch(self, numbers: Sequence[int], columns: Sequence[Column] = ()) -> None:
        """Note a write to points; the columns are those of the rows it brings."""
        if not numbers:
            return
        self.touched.append((numbers, self.seq))
        # A row of this write carries its seq itself. Only points that get none need a note of when
        # they were last changed.
        without = np.ones(len(numbers), dtype=bool)
        for column in columns:
            without[column.positions] = False
        edited = [numbers[place] for place in np.flatnonzero(without).tolist()]
        if edited:
            self.store.seqs.edit(edited, self.seq)
            self.edited += len(edited)

    # Payloads.

    def _edit(self, held: Mapping[Key, Held], edit: Edit) -> None:
        numbers = [one.number for one in held.values()]
        before = [one.payload for one in held.values()]
        try:
            after = [edit(payload) for payload in before]
        # The depth of a payload is bounded where bodies are read, but an edit can put one payload
        # into another.
        except RecursionError:
            raise InvalidInput("A payload would be nested too deeply: it is left alone") from None
        self.store.points.put_payloads(held, self.seq, after)
        self._touch(numbers)
        self._follow(numbers, before, after)

    def _follow(
        self,
        numbers: Sequence[int],
        before: Sequence[bytes | None],
        after: Sequence[bytes | None],
    ) -> None:
        if self.indexed and numbers:
            if self.recorded:
                self.store.fields.touch(self.seq, as_numbers(numbers))
            self.payloads.append(PayloadChanges(numbers, before, after, tuple(self._unknown)))

    # Vectors.

    def _update_vectors(self, write: VectorUpdate, meant: BitMap | None) -> None:
        held = self.store.points.find(write.keys, with_payload=False)
        places = [
            place
            for place, key in enumerate(write.keys)
            if (one := held.get(key)) and (meant is None or one.number in meant)
        ]
        if places:
            keys = [write.keys[place] for place in places]
            chosen = Upsert(write.ids, write.keys, [None] * len(write.keys), write.columns).only(
                np.array(places, dtype=np.int64)
            )
            changed = {key: held[key] for key in keys}
            old = self._slots([*changed.values()])
            slots = old.copy()
            numbers = [one.number for one in changed.values()]
            self._without_mapped(chosen.columns, slots)
            self._stage(chosen, as_numbers(numbers), slots)
            self._bury([old[old != slots]])
            self.store.points.put_slots(changed, self.seq, slots)
            self._touch(numbers, chosen.columns)
        _require_all(write.keys, held)

    def _delete_vectors(self, held: Mapping[Key, Held], columns: Sequence[int]) -> None:
        slots = self._slots([*held.values()])
        mapped_of = self.config.mapped_columns
        mapped = [other for column in columns for other in mapped_of.get(column, ())]
        # What was made from a vector goes with it: it would be searched for what the point no
        # longer holds.
        gone = [*{*columns, *mapped}]
        self._bury([slots[:, gone].ravel()])
        slots[:, gone] = 0
        numbers = [one.number for one in held.values()]
        self.store.points.put_slots(held, self.seq, slots)
        self._touch(numbers)

    def _kept_versions(self, write: Upsert, held: Mapping[Key, Held]) -> NDArray[np.uint64]:
        """Return the slots (n, width) that points keep though they are written anew.

        One that comes with the payload it has was embedded again, by another model perhaps: its
        vectors of other versions still describe it. With another payload, or none, they may not.
        """
        slots = self._no_slots(len(write.keys))
        for column in write.columns:
            others = self.config.other_versions.get(column.number, ())
            for place in column.positions.tolist() if others else ():
                one, payload = held.get(write.keys[place]), write.payloads[place]
                if one is not None and is_same(one.payload, payload):
                    for other in others:
                        slots[place, other] = one.slots[other] if other < len(one.slots) else 0
        self._without_mapped(write.columns, slots)
        return slots

    def _without_mapped(self, columns: Sequence[Column], slots: NDArray[np.uint64]) -> None:
        """Take away the slots of vectors mapped from ones that are written anew."""
        for column in columns:
            for mapped in self.config.mapped_columns.get(column.number, ()):
                slots[column.positions, mapped] = 0

    def _no_slots(self, points: int) -> NDArray[np.uint64]:
        return np.zeros((points, len(self.config.columns)), dtype=np.uint64)

    def _slots(self, held: Sequence[Held]) -> NDArray[np.uint64]:
        """Return the slots of points (n, width); names added since they were stored are 0."""
        slots = self._no_slots(len(held))
        for row, one in zip(slots, held, strict=True):
            row[: len(one.slots)] = one.slots
        return slots

    def _stage(self, write: Upsert, numbers: NDArray[np.uint32], slots: NDArray[np.uint64]) -> None:
        """Keep the vectors of a write; note in ``slots`` where."""
        for column in write.columns:
            rows = self._new_rows(column, write, numbers)
            slots[column.positions, column.number] = rows.slots
            first = int(rows.slots[0])
            staged = StagedRows(
                column.number, first, self.seq, rows.ids, rows.numbers, column.to_bytes()
            )
            self.store.staged.add(staged)
            self.rows.append(rows)
            self.position = Position(self.seq, first + len(rows.slots), self.position.points)

    def _new_rows(self, column: Column, write: Upsert, numbers: NDArray[np.uint32]) -> NewRows:
        n, slot = len(column.positions), self.position.slot
        slots = np.arange(slot, slot + n, dtype=np.uint64)
        whole = n == len(write.keys)
        ids = write.ids if whole else write.ids[column.positions]
        own = numbers if whole else numbers[column.positions]
        return NewRows(column.number, slots, self.seq, ids, own, column.values)

    def _bury(self, slots: Sequence[Slots]) -> None:
        dead = np.concatenate([np.empty(0, dtype=np.uint64), *slots])
        # Slots begin at 1: 0 says that a point has no such vector.
        dead = dead[dead != 0]
        if dead.size:
            self.store.dead.bury(dead, self.seq)
            self.dead.append(dead)


def _is_admitted(held: Held | None, mode: str, meant: BitMap | None) -> bool:
    if held is None:
        return mode != "update_only"
    return mode != "insert_only" and (meant is None or held.number in meant)


def _require_all(whose: Keys | Filter, held: Mapping[Key, Held]) -> None:
    if isinstance(whose, Filter):
        return
    for key in whose:
        if key not in held:
            raise PointNotFound(id_of_key(key))
