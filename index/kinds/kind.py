"""What the engine asks of a kind of vector: one object of this class answers for all its columns.

Rooms above ask ``registry.kind_of`` the config of a column and narrow no types. Values of a batch
may be ragged and rows of any size, in as many files of a segment as a kind likes; a search may have
stages of its own. Within the engine a distance is smaller for what is closer; where the config's
``distance`` is a similarity, users are shown it negated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.errors import Unsupported
from palimpsest.index.search.closest import Closest
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing_part import AnyGrowing, Values
from palimpsest.index.segments.searcher import Searcher, SearchThreads
from palimpsest.index.segments.segment import NumbersOf, Segment
from palimpsest.index.storage.directory import Directory
from palimpsest.index.types import (
    BridgeMode,
    KindVector,
    MatchedParts,
    Numbers,
    PointId,
    PointVector,
    RecallInfo,
    SearchStats,
    Slots,
    Vectors,
)
from palimpsest.index.view.view import SealedPart, VectorView, View

_PAGE = 4_096  # bytes
DENSE = "dense"  # the kind of vectors that are plain arrays

C = TypeVar("C", bound=ColumnConfig)
V = TypeVar("V", bound=Values)
G = TypeVar("G", bound=AnyGrowing)
S = TypeVar("S", bound=Segment)


class Named(Protocol):
    """The vectors of one name in a batch, as a caller gives them."""

    @property
    def kind(self) -> str:
        """The kind of vector it takes."""

    @property
    def positions(self) -> NDArray[np.int64]:
        """The places of their points in the batch (m,), ascending."""


class Whose(NamedTuple):
    """Whose vectors are checked: the name, the ids of the batch's points, what is declared."""

    name: str
    ids: Sequence[PointId]
    declared: CollectionConfig


class Asked(NamedTuple):
    """What a search of one column may find, and how.

    ``allowed`` are the numbers of the points that may be found, None for all; ``without`` is that
    of one which is left out; ``corpus`` those that weights of a query are counted over. ``ahead``
    is what ``Kind.ahead`` gave for this search.
    """

    request: SearchRequest
    allowed: BitMap | None
    without: int | None = None
    corpus: BitMap | None = None
    ahead: Any = None


class Compared(NamedTuple):
    """Which points are compared with several queries.

    ``allowed`` and ``corpus`` are those of ``Asked``, ``bridge`` says whether points of other
    versions are, and ``exact`` whether estimates will not do.
    """

    allowed: BitMap | None
    bridge: BridgeMode = "on"
    corpus: BitMap | None = None
    exact: bool = False


# Numbers of points (m,), the distance of each query to each (E, m), and whether these are exact.
Block: TypeAlias = tuple[Numbers, NDArray[np.float32], bool]


class Likeness(Protocol):
    """Vectors of some points, compared with a query and with one another.

    Similarities are larger for what is closer, as those of ``index.query.examples``.
    """

    def of(self, query: PointVector) -> NDArray[np.float64]:
        """Return the similarity (m,) of a query to each."""

    def to(self, place: int) -> NDArray[np.float64]:
        """Return the similarity (m,) that each has to the one at a place."""


class Kind(ABC, Generic[C, V, G, S]):
    """A kind of vector, by the types of its configs, stored values, growing parts and segments."""

    name: ClassVar[str]
    weighs: ClassVar[bool] = False  # whether a query's values are weighed by a corpus (idf)
    has_parts: ClassVar[bool] = False  # whether ``matched`` tells parts of its vectors

    # What is declared.

    @abstractmethod
    def config_of(self, stored: Mapping[str, Any], name: str, declared: Mapping[str, Any]) -> C:
        """Return what ``to_json`` of a config gave, for a name of what a caller declared."""

    # What is written.

    @abstractmethod
    def check(self, given: Any, whose: Whose, config: C) -> V:
        """Return vectors of a batch as they are stored, in arrays of their own.

        Raises:
            InvalidInput: one of its subclasses; the text names the point.
        """

    @abstractmethod
    def to_bytes(self, values: V) -> bytes | memoryview:
        """Return stored values as they wait in the store to be sealed."""

    @abstractmethod
    def from_bytes(self, stored: bytes | memoryview, n: int, config: C) -> V:
        """Return the n values of ``to_bytes``. Raises ValueError when they cannot be so many."""

    # Rows.

    @abstractmethod
    def grow(self, config: C) -> G:
        """Return a growing part without rows."""

    @abstractmethod
    def open(self, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None) -> S:
        """Open and check a segment, as ``segments.segment.open_segment`` does."""

    @abstractmethod
    def spare(self, files: Collection[str]) -> set[str]:
        """Return the files of a segment that are made anew from the others where they are lost."""

    @abstractmethod
    def seal(
        self, folder: Directory, parts: Sequence[tuple[G | S, Dead]], to: Build[C]
    ) -> int | None:
        """Write the live rows of parts as a segment; return its checksum, None when cancelled."""

    @abstractmethod
    def bytes_to_write(self, config: C, parts: Sequence[SealedPart[S] | G]) -> int:
        """Return about how much memory it takes to write the live rows of parts as one segment."""

    # Reads.

    @abstractmethod
    def search(
        self,
        view: View,
        column: int,
        vectors: VectorView[C, G, S],
        asked: Asked,
    ) -> Closest:
        """Return the points of a column closest to what is asked, and what was done to find them.

        Raises:
            InvalidInput: one of its subclasses: the vector or a parameter is wrong.
        """

    def ahead(
        self,
        view: View,
        vectors: VectorView[C, G, S],
        requests: Sequence[SearchRequest],
        threads: SearchThreads,
    ) -> Sequence[Any]:
        """Do what can be done at once of several searches; what each then is ``Asked`` with."""
        return [None] * len(requests)

    @abstractmethod
    def score(
        self,
        view: View,
        column: int,
        vectors: VectorView[C, G, S],
        targets: Sequence[PointVector],
        asked: Compared,
    ) -> tuple[Iterator[Block], SearchStats]:
        """Return the distances of several queries to every point, in blocks; what they leave out.

        Raises:
            InvalidInput: one of its subclasses: a target is wrong.
        """

    @abstractmethod
    def mean(self, vectors: Sequence[PointVector], shares: Sequence[float]) -> PointVector:
        """Return the sum of vectors, each times its share."""

    def check_example(self, vector: PointVector, config: C) -> None:
        """Raise InvalidInput for a vector that is refused as a query, before it becomes a mean."""

    @abstractmethod
    def seconds(self, view: View, vectors: VectorView[C, G, S], request: SearchRequest) -> float:
        """Return roughly how long a search takes, without what its hits are read and written."""

    @abstractmethod
    def read(
        self, vectors: VectorView[C, G, S], slots: Slots
    ) -> tuple[Sequence[PointVector | None] | Vectors, bool]:
        """Return the vectors of slots as users see them, and whether every one was found."""

    @abstractmethod
    def given(self, source: G | S, rows: NDArray[np.intp]) -> Named:
        """Return rows of a part as a batch of as many points that a caller would give."""

    def taken(self, vector: PointVector) -> PointVector | None:
        """Return a query as a vector of the kind, None where it cannot be meant as one."""
        given = vector.kind if isinstance(vector, KindVector) else DENSE
        return vector if given == self.name else None

    def check_size(
        self, vector: PointVector, name: str, config: C, declared: Mapping[str, ColumnConfig]
    ) -> None:
        """Raise DimensionMismatch for a query of another size than a name is declared with."""

    def as_query(self, vector: PointVector, config: C) -> PointVector:
        """Return a vector that was read as it is searched for."""
        return vector

    def is_exact(self, vectors: VectorView[C, G, S], request: SearchRequest) -> bool:
        """Tell whether a search looks at every row by what is kept of it, so that it misses none.

        Where it does, nothing is kept of what was asked of late either.
        """
        return True

    def ef(self, vectors: VectorView[C, G, S], request: SearchRequest) -> int | None:
        """Return how many candidates a search keeps of a segment, at most; None without any."""
        return None

    def walked(self, vectors: VectorView[C, G, S]) -> Sequence[Searcher]:
        """Return what searches the segments that have a graph."""
        return []

    def bytes_read(self, vectors: VectorView[C, G, S], stats: SearchStats) -> float:
        """Return about how many bytes of originals a search has read: of each whole pages."""
        each = self.live_bytes(vectors) / max(vectors.live, 1)
        return stats.rescored * max(each, _PAGE)

    def recent(self, vectors: VectorView[C, G, S]) -> Sequence[PointVector]:
        """Return what was asked of late (``segments.recent``), newest last, to be asked again."""
        return []

    def likeness(self, rows: Sequence[PointVector], config: C) -> Likeness:
        """Return what compares vectors, which ``as_query`` gave, with others.

        Raises:
            Unsupported: unlike vectors cannot be chosen among those of the kind.
        """
        raise Unsupported(f"mmr: vectors of kind {self.name!r} are not compared with each other")

    def matched(
        self, vectors: VectorView[C, G, S], slots: Slots, query: PointVector
    ) -> Sequence[MatchedParts | None]:
        """Return which parts of the vectors of slots match a query, None where there are none."""
        return [None] * len(slots)

    def numbers_in(self, vectors: VectorView[C, G, S]) -> int:
        """Return about how many numbers a vector has as it is shown, 0 where they are few."""
        return 0

    def live_bytes(self, vectors: VectorView[C, G, S]) -> float:
        """Return about how many bytes vectors take that are not dead, as they are given."""
        kept = [part.segment.bytes_by_component for part in vectors.sealed]
        size: int = sum(one.get("originals_mapped", 0) for one in kept)
        size += sum(part.columns.nbytes for part in vectors.growing)
        return size * vectors.live / max(sum(part.n for part in vectors.parts), 1)

    # What becomes of segments.

    def recall(self, vectors: VectorView[C, G, S]) -> RecallInfo | None:
        """Return what segments were found to need, None where searches are exact."""
        return None

    def is_unprobed(self, segment: S) -> bool:
        """Tell whether nothing is known of what searches of a segment find, and it can be."""
        return False

    def probe(
        self, segment: S, config: C, recent: Sequence[Any], cancelled: Callable[[], bool]
    ) -> None:
        """Measure what searches of a segment find, and note it in memory; nothing if cancelled."""

    def falls_short(self, segment: S) -> bool:
        """Tell whether a segment is to be written anew, for what a probe found."""
        return False
