"""A named set of points: what can be written to it and asked of it.

Its writes are those of ``index.write.point_writes``. Reads take the published view and, for
payloads, a connection of the calling thread; they take no lock and wait for nobody.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from palimpsest.index.collection_info import collection_state, collection_work, store_bytes
from palimpsest.index.collection_parts import CollectionParts, open_parts
from palimpsest.index.collection_versions import Versioning
from palimpsest.index.config.collection import AT, CollectionConfig
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.vectors import MAX_POINTS
from palimpsest.index.config.versions import shown
from palimpsest.index.errors import CollectionNotFound, InvalidConfig, InvalidInput
from palimpsest.index.filters.expression import Filter
from palimpsest.index.filters.paths import format_path, parse_path
from palimpsest.index.kinds.registry import ahead, kind_of
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.evaluate import estimate
from palimpsest.index.read.cost import estimate_seconds
from palimpsest.index.read.points import PointReader, wanted_of
from palimpsest.index.read.reading import Reading, Sampler
from palimpsest.index.read.selector import Selector
from palimpsest.index.recall.drawn import Question, RecallRequest, drawn
from palimpsest.index.recall.measuring import MeasuredRecall, measure
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.ready import HitsText, VectorText, ready_of
from palimpsest.index.snapshots.archive import GoOn
from palimpsest.index.snapshots.copying import Copying
from palimpsest.index.snapshots.taking import Taken, take
from palimpsest.index.stops import check_stop
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.ids import check_ids, key_of, keys_of
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import Reserve
from palimpsest.index.types import (
    BridgeMode,
    CollectionInfo,
    CollectionSizes,
    CollectionWork,
    JobInfo,
    PointId,
    Record,
    SearchResult,
)
from palimpsest.index.upkeep.pacing import Pacing
from palimpsest.index.upkeep.upkeep import HasRoom
from palimpsest.index.view.view import View
from palimpsest.index.view.virtual_collection import Shown
from palimpsest.index.waiting import StoreAhead, consistent
from palimpsest.index.write.declaring import Declare, add_vector, drop_vector, reconfigure
from palimpsest.index.write.point_writes import PointWrites

T = TypeVar("T")

_AT_ONCE = 256  # searches of a batch, whose first walks are kept in memory
_MOST_KEPT = 100_000  # hits that those of one part may be


class Collection(PointWrites):
    """One open collection, or another view of it: thin, beside the parts that all its views share.

    Opened by ``Database``. Virtual collections show it under the names of one version; ``at_once``
    is the same collection to readers that do not wait.
    """

    def __init__(
        self, name: str, parts: CollectionParts, version: str | None = None, *, waits: bool = True
    ) -> None:
        """Show the parts under a name, and under the names of a version, None for active ones."""
        self.name, self.version, self.folder = name, version, parts.folder
        super().__init__(parts.writer, Shown(parts.writer, version))
        self._parts, self.fields, self.demand = parts, parts.fields, parts.demand
        self.fitting, self.upkeep, self.scrub = parts.fitting, parts.upkeep, parts.scrub
        self._points = PointReader(parts.reader, self._shown, waits=waits)
        self.versions = Versioning(parts, self._shown, self._points, self._require_real)
        self._virtual: dict[str, Collection] = {}
        self._at_once: Collection | None = None

    @classmethod
    def open(
        cls,
        name: str,
        folder: pathlib.Path,
        *,
        threads: int,
        changed: Callable[[], None],
        has_room: HasRoom = lambda _: True,
        reserve: Reserve | None = None,
        sampler: Sampler | None = None,
    ) -> Collection:
        """Open the files. Raises Damaged or UnknownFormat.

        Args:
            name: the collection's name.
            folder: where its files are.
            threads: how many build a graph.
            changed: called by the writer after each change.
            has_room: tells whether background work may take so many bytes of memory.
            reserve: room on the disk kept for deletes.
            sampler: takes a share of the searches, to learn what they find.
        """
        return cls(name, open_parts(name, folder, threads, changed, has_room, reserve, sampler))

    def close(self, *, dropped: bool = False) -> None:
        """Stop upkeep, finish queued writes and reads under way, and close the files.

        From then on writes and reads of the files raise CollectionNotFound. What only makes the
        next open quick is not written when the collection is ``dropped``.
        """
        self._parts.close(dropped=dropped)

    def showing(self, version: str) -> Collection:
        """Return the virtual collection in which bare vector names mean a version.

        It holds the same points. Its declarations are those of this one, which alone changes them.

        Raises:
            VersionNotFound: no vector name has the version.
        """
        shown(self.writer.config, version)
        virtual = self._virtual.get(version)
        if virtual is None:
            virtual = Collection(f"{self.name}{AT}{version}", self._parts, version)
            # Kept: it is asked for with every request. Two threads may each make one, which does no
            # harm.
            self._virtual[version] = virtual
        return virtual

    @property
    def at_once(self) -> Collection:
        """The same collection, whose reads raise NotYetApplied where they would have to wait."""
        if self._at_once is None:
            self._at_once = Collection(self.name, self._parts, self.version, waits=False)
        return self._at_once

    @property
    def config(self) -> CollectionConfig:
        """The current settings."""
        return self._shown.config

    @property
    def view(self) -> View:
        """What a search that starts now reads."""
        return self._shown.view

    # Declarations. Those of versions are ``versions``.

    def _require_real(self) -> None:
        if self.version is not None:
            whole = self.name.removesuffix(f"{AT}{self.version}")
            raise InvalidInput(
                f"{self.name!r} is version {self.version!r} of collection {whole!r}: "
                f"change the declarations of {whole!r} itself"
            )

    def reconfigure(self, config: CollectionConfig) -> None:
        """Change encodings, graph parameters, upkeep or the declared description.

        Segments written under other settings are rewritten in the background.

        Raises:
            InvalidConfig: vector names, sizes or distances differ.
        """
        self._require_real()
        reconfigure(self.writer, config)

    def add_vector(self, name: str, vector: ColumnConfig, declared: Declare) -> None:
        """Declare a further vector name, which no point has a vector of yet.

        Args:
            name: not declared before.
            vector: its space.
            declared: gives the description of the collection that goes with it, from the old one.

        Raises:
            InvalidConfig: the name is declared already.
        """
        self._require_real()
        add_vector(self.writer, name, vector, declared)

    def drop_vector(self, name: str, declared: Declare) -> None:
        """Forget a vector name and every vector of it; points and payloads stay.

        Args:
            name: declared.
            declared: gives the description of the collection that goes with it, from the old one.

        Raises:
            UnknownVectorName: it is not declared.
        """
        self._require_real()
        self._parts.forget(drop_vector(self.writer, name, declared))

    # Payload indexes.

    def create_index(self, key: str, index: FieldIndex) -> Future[int]:
        """Index the payload values at a path; the future is done once the index answers."""
        return self.fields.create(_path_text(key), index)

    def drop_index(self, key: str) -> Future[int]:
        """Forget an index; one that is not there is fine."""
        return self.fields.drop(_path_text(key))

    # Reads.

    def selector(self) -> Selector:
        """Return what filters are evaluated over now."""
        return Selector(self.view, self.writer.indexes, self._points)

    def reading(self, bridge: BridgeMode = "on") -> Reading:
        """Return the state a request that starts now reads, over bridges or without."""
        return self._reading(self.view, bridge)

    def _reading(self, view: View, bridge: BridgeMode) -> Reading:
        sampler = self._parts.sampler
        return Reading(view, self._points, self.writer.indexes, self.demand.note, bridge, sampler)

    def count(self, filter: Filter | None = None, *, exact: bool = True) -> int:
        """Return how many points pass; if not ``exact``, roughly where that saves time."""
        if filter is None:
            return self.view.points
        if not exact:
            return estimate(filter, self.selector())[1]
        return len(self.selector().select(filter))

    def retrieve(
        self,
        ids: Sequence[PointId],
        *,
        with_payload: bool = True,
        with_vectors: bool | tuple[str, ...] = False,
        spared: Spared | None = None,
    ) -> list[Record]:
        """Return the points that exist, in the order asked for.

        Args:
            ids: of points.
            with_payload: whether payloads are read.
            with_vectors: whether vectors are, or those of some names.
            spared: takes the points that are damaged, which are left out.

        Raises:
            DamagedPoint: one is, and there is no ``spared``.
        """
        check_ids(ids)
        wanted = wanted_of(self.config, with_vectors)
        return self._points.records(keys_of(ids), wanted, with_payload=with_payload, spared=spared)

    def scroll(
        self,
        start: PointId | None,
        limit: int,
        filter: Filter | None = None,
        *,
        with_payload: bool = True,
        with_vectors: bool | tuple[str, ...] = False,
        spared: Spared | None = None,
    ) -> tuple[list[Record], PointId | None]:
        """Return up to ``limit`` points that pass, from id ``start`` on, and where to go on.

        Args:
            start: the least id, None for all.
            limit: how many points; those that are left out count.
            filter: what they pass, None for all.
            with_payload: whether payloads are read.
            with_vectors: whether vectors are, or those of some names.
            spared: takes the points that are damaged, which are left out.

        Raises:
            DamagedPoint: one is, and there is no ``spared``; or the filter has to read it.
        """
        if limit < 1:
            raise InvalidConfig(f"limit: expected at least 1, got {limit}")
        first = None
        if start is not None:
            check_ids([start])
            first = key_of(start)
        selector = self.selector()  # its view says what all names mean
        wanted = wanted_of(selector.view.config, with_vectors)
        limit = min(limit, MAX_POINTS)
        if filter is None:
            return self._points.page(first, limit, wanted, with_payload=with_payload, spared=spared)
        allowed = selector.select(filter)
        return self._points.page_among(
            allowed, first, limit, wanted, with_payload=with_payload, spared=spared
        )

    def search(self, request: SearchRequest) -> SearchResult:
        """Return the points closest to a vector, or to a stored point.

        Raises:
            InvalidInput: one of its subclasses: the vector or a parameter is wrong.
            PointNotFound: the query is the id of no point.
        """
        return self._search(self.view, request)

    def search_batch(self, requests: Sequence[SearchRequest]) -> list[SearchResult]:
        """Return the answer to each request, all from one view.

        What their searches have in common is done at once, on several threads.
        """
        # One for all: a batch is answered as of one moment, whatever is written while it runs.
        view = self.view
        results = []
        deepest = max((request.k + request.offset for request in requests), default=1)
        step = min(max(_MOST_KEPT // max(deepest, 1), 1), _AT_ONCE)
        for start in range(0, len(requests), step):
            some = requests[start : start + step]
            for request, done in zip(some, ahead(view, some, self._parts.together), strict=True):
                check_stop()
                results.append(self._search(view, request, done))
        return results

    def hits_as_text(
        self, request: SearchRequest, given: Sequence[VectorText]
    ) -> Sequence[HitsText | None]:
        """Return what searches find that differ in their vectors alone, as JSON texts.

        What is usual is answered, all on several threads; of any other there is None, and
        ``search`` answers it.

        Args:
            request: what they ask, whose vector is not looked at; hits have ids and scores alone.
            given: the vectors, as they stand in texts.
        """
        view, sampler = self.view, self._parts.sampler
        ready = None if request.filter is not None else ready_of(view, request)
        has_more = request.with_payload or request.with_vectors is not False
        if ready is None or ready.warns or has_more:
            return [None] * len(given)
        if sampler is not None and any([sampler.is_due() for _ in given]):
            return [None] * len(given)  # it takes one of them as it is searched
        return ready.texts(given, view.seqs.by_number, self._parts.together)

    def _search(self, view: View, request: SearchRequest, done: Any = None) -> SearchResult:
        try:
            result = self._reading(view, request.bridge).search(request, done)
            if result.whole:  # as nearly always
                return result
        except StoreAhead:
            pass  # a newer view has it
        return self.consistent(
            lambda: self.reading(request.bridge).search(request), lambda found: found.whole
        )

    def consistent(self, read: Callable[[], T], is_whole: Callable[[T], bool]) -> T:
        """Return what a read of this collection, and of others, answers as of one moment.

        Args:
            read: takes readings anew each time it is run.
            is_whole: tells whether points that were written meanwhile are not missing.

        Raises:
            NotYetApplied: points it has to read were being written for seconds.
        """
        return consistent(read, self._points.catch_up, is_whole)

    def measure_recall(self, request: RecallRequest) -> MeasuredRecall:
        """Return how much of what is closest searches find.

        Raises:
            InvalidInput: one of its subclasses: a given query, or a parameter, is wrong.
            Stopped: nobody waits for it.
        """

        def ask() -> tuple[View, list[Question]]:
            reading = self.reading(request.bridge)
            return reading.view, drawn(reading, request)

        view, questions = self.consistent(ask, lambda _: True)
        return measure(view, questions, request)

    def cost(self, request: SearchRequest) -> float:
        """Return roughly how many seconds the search will take."""
        return estimate_seconds(self.view, request, self.writer.indexes)

    def state(self) -> CollectionInfo:
        """Return counts, sizes and the state of background work."""
        return collection_state(
            self.folder,
            self.view,
            self.writer,
            self.upkeep,
            self.fields.rebuilds,
            self.scrub.integrity(),
        )

    def work(self) -> CollectionWork:
        """Return what was done since the collection was opened, and what waits."""
        return collection_work(self.folder, self.writer, self._parts.jobs, self.upkeep)

    @property
    def pacing(self) -> Pacing:
        """What lets rows in no faster than they are sealed; who brings them asks it."""
        return self.upkeep.pacing

    def jobs(self) -> list[JobInfo]:
        """Return long work that runs, and of each kind the last that ended; oldest first."""
        return self._parts.jobs.all()

    def cancel_job(self, id: int) -> None:
        """Let a fit or a consolidation end soon; what it did so far may stay.

        Raises:
            InvalidInput: the job does not run, or is of a kind that goes on by itself.
        """
        self._parts.jobs.cancel(id)

    @contextmanager
    def snapshot(self, release: str, aside: Local, go_on: GoOn) -> Iterator[Taken]:
        """Hold the collection as of one commit for the time of a block, while writes go on.

        Args:
            release: that asks for it.
            aside: an empty folder, for the copy of its store.
            go_on: told of what was copied; raises to end it.

        Raises:
            InvalidInput: this is a version of it.
            StorageError: it could not be read, or the copy not be written.
        """
        self._require_real()
        with self._parts.jobs.begin("snapshot", "all of it", kept=False) as job:
            try:
                copying = Copying(self.disk(), go_on, job.note)
            except FileNotFoundError:
                raise CollectionNotFound(self.name) from None  # dropped meanwhile
            with take(self.name, self.folder, self.writer, release, aside, copying.went) as taken:
                yield taken

    def met_damage(self, text: str) -> None:
        """Let ``state`` tell of damage that a read met, until the collection is opened again."""
        self.upkeep.attempts.met(text)
        self.scrub.met("read")

    @property
    def refuses_writes(self) -> str | None:
        """Why the last write failed, until one succeeds; a write is tried every few seconds."""
        return self.writer.refuses

    def payload_bytes(self) -> int:
        """Return how many bytes all payloads take; of a large collection, took a moment ago."""
        return self._parts.payload_size.bytes(self.view.seq)

    def vector_bytes(self) -> int:
        """Return about how many bytes all vectors take that are not dead, as they are given."""
        vectors = self.view.vectors.values()
        return int(sum(kind_of(one.config).live_bytes(one) for one in vectors))

    def numbers_in(self, name: str) -> int:
        """Return about how many numbers a vector of a name has, 0 where few or unknown."""
        vectors = self.view.find(name)
        return 0 if vectors is None else kind_of(vectors.config).numbers_in(vectors)

    @property
    def store_bytes(self) -> int:
        """Bytes on disk of payloads, ids and rows that are not sealed yet."""
        return store_bytes(self.folder)

    def sizes(self) -> CollectionSizes:
        """Return what a collection takes of disk and memory; looks at every file of an index."""
        return CollectionSizes(self.disk(), self.writer.indexes.nbytes)

    def disk(self) -> Mapping[str, int]:
        """Return what the collection takes on disk, in bytes by component."""
        return self._parts.disk.by_component()

    @property
    def payload_indexes(self) -> Mapping[str, FieldIndex]:
        """The payload indexes that answer, and those that are built again, by key."""
        return self.writer.indexes.declared


def _path_text(key: str) -> str:
    """Return the one text of a path, which may be written in several ways."""
    return format_path(parse_path(key))
