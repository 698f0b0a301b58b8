"""Strict mode: what a collection's owner forbids.

Limits are part of a collection's declaration and are looked up per request; a collection without
strict mode pays for two dictionary look-ups. Texts follow Qdrant's, which clients show to people.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from palimpsest.app.rates import Rates
from palimpsest.app.strict_filters import (
    bad_request,
    check_sizes,
    leaves,
    matches,
    refusal,
    require_indexes,
)
from palimpsest.app.strict_formulas import require_indexes_of
from palimpsest.app.strict_limits import Limits
from palimpsest.app.strict_sizes import check_room
from palimpsest.index import (
    NO_GRAPH,
    Collection,
    FieldIndex,
    Filter,
    MultiConfig,
    NamedMultiVectors,
    NamedSparse,
    Path,
    PointBatch,
    VectorConfig,
    format_path,
    terms,
)


class Write(Protocol):
    """What is looked at of a write: see ``app.schemas.updates.Update``."""

    @property
    def batch(self) -> PointBatch | None: ...  # noqa: D102
    @property
    def selected(self) -> int: ...  # noqa: D102
    @property
    def filter(self) -> Filter | None: ...  # noqa: D102
    @property
    def upserts(self) -> bool: ...  # noqa: D102
    @property
    def writes_payload(self) -> bool: ...  # noqa: D102


class Strict(NamedTuple):
    """The limits of one collection; every method raises Refusal for what exceeds them."""

    limits: Limits
    collection: Collection
    rates: Rates
    charges: bool = True  # whether what passes is paid for, or only could be

    def read(
        self,
        *,
        cost: int,
        limit: int | None = None,
        timeout: int | None = None,
        filter: Filter | None = None,
    ) -> None:
        """Check what all reads have in common. Call it once per request, after other checks.

        ``cost`` is what ``app.costs`` says.
        """
        # Limits before the budget: what is refused for its size must not have been paid for.
        self.level(limit, filter)
        _within("timeout", timeout, self.limits.max_timeout)
        self._take("Read", cost, self.limits.read_rate_limit)

    def level(self, limit: int | None, filter: Filter | None) -> None:
        """Check the limit and the filter of a read, or of one level of a query."""
        _within("limit", limit, self.limits.max_query_limit)
        self._check_filter(filter, self.limits.unindexed_filtering_retrieve)

    def exact(self, exact: bool) -> None:
        """Check that a read may look at every point."""
        if exact and self.limits.search_allow_exact is False:
            raise refusal("Exact search disabled!", "Set exact=false.")

    def graph(self, name: str) -> None:
        """Check that a vector has a graph: without one a search looks at every row."""
        space = self.collection.config.find(name)
        if self.limits.search_allow_exact is not False or space is None:
            return
        if isinstance(space, VectorConfig | MultiConfig) and space.M == NO_GRAPH:
            on = f" on '{name}'" if name else ""
            raise refusal(
                f"Request is forbidden{on} because global vector indexing is disabled "
                "(hnsw_config.m = 0)",
                "Enable global vector indexing, use a prefetch of vectors that have it, or enable "
                "strict mode `search_allow_exact` option.",
            )

    def formula(self, formula: terms.Term) -> None:
        """Check that the payload fields of a formula are indexed."""
        if self.limits.unindexed_filtering_retrieve is False:
            require_indexes_of(formula, self._indexes())

    def search_batch(self, searches: int) -> None:
        """Check how many searches one request holds."""
        _within("search batch size", searches, self.limits.search_max_batchsize)

    def search(self, *, ef: int | None, exact: bool, oversampling: float | None) -> None:
        """Check the parameters of one search."""
        _within("oversampling", oversampling, self.limits.search_max_oversampling)
        _within("hnsw_ef", ef, self.limits.search_max_hnsw_ef)
        self.exact(exact)

    def group_by(self, path: Path) -> None:
        """Check that groups are formed by an indexed field that knows exact matches."""
        if self.limits.unindexed_filtering_retrieve is not False:
            return
        index = self._indexes().get(format_path(path))
        if index is None or not matches(index):
            found = "Index required but not" if index is None else f"Index of type {index.kind!r}"
            raise refusal(
                f'{found} found for "{format_path(path)}"',
                "Create an index supporting `match` for this key.",
            )

    def write(self, updates: Sequence[Write], timeout: int | None = None) -> None:
        """Check the writes of one request. Call it once per request."""
        _within("timeout", timeout, self.limits.max_timeout)
        for each in updates:
            self._check_write(each)
        if self.limits.write_rate_limit is not None:
            cost = sum(max(1, self._points_written(each)) for each in updates)
            self._take("Write", cost, self.limits.write_rate_limit)

    def new_index(self, key: str) -> None:
        """Check that one more payload index is allowed."""
        limit = self.limits.max_payload_index_count
        held = self._indexes()
        if limit is not None and key not in held and len(held) >= limit:
            raise refusal(
                f"Collection already has the maximum number of payload indexes ({limit})",
                "Delete an index that is not needed.",
            )

    def _take(self, kind: str, cost: int, rate: int | None) -> None:
        """Count a request that passed all other checks: what is refused costs nothing."""
        if rate is not None and cost:
            whole = self.collection.folder.name  # the same for every version of it
            (self.rates.take if self.charges else self.rates.require)(whole, kind, cost, rate)

    def _points_written(self, update: Write) -> int:
        """Return about how many points a write changes."""
        if update.upserts or update.filter is None:
            return _points_of(update)
        return self.collection.count(update.filter, exact=False)

    def _check_write(self, update: Write) -> None:
        if not update.upserts:  # the condition of an upsert is about points it names by id
            self._check_filter(update.filter, self.limits.unindexed_filtering_update)
        if update.batch is not None:
            name = "upsert limit" if update.upserts else "update limit"
            _within(name, _points_of(update), self.limits.upsert_max_batchsize)
            self._check_sparse(update.batch)
            self._check_sets(update.batch)
        if update.batch is not None or update.writes_payload:
            check_room(
                self.collection,
                self.limits,
                vectors=update.batch is not None,
                payload=update.writes_payload,
                points=update.upserts,
            )

    def _check_filter(self, condition: Filter | None, unindexed: bool | None) -> None:
        """Check a filter's size, and that its fields are indexed when ``unindexed`` is False."""
        if condition is None:
            return
        held = list(leaves(condition))
        check_sizes(held, self.limits.filter_max_conditions, self.limits.condition_max_size)
        if unindexed is False:
            require_indexes(held, self._indexes())

    def _indexes(self) -> dict[str, FieldIndex]:
        return dict(self.collection.payload_indexes)

    def _check_sparse(self, batch: PointBatch) -> None:
        for name, limit in (self.limits.sparse_config or {}).items():
            vectors = batch.vectors.get(name)
            if limit.max_length is None or not isinstance(vectors, NamedSparse):
                continue
            longest = int(vectors.rows.lengths.max(initial=0))
            if longest > limit.max_length:
                raise bad_request(
                    f"Sparse vector '{name}' has a limit of {limit.max_length} indices, "
                    f"but {longest} were provided!"
                )

    def _check_sets(self, batch: PointBatch) -> None:
        for name, limit in (self.limits.multivector_config or {}).items():
            vectors = batch.vectors.get(name)
            if limit.max_vectors is None or not isinstance(vectors, NamedMultiVectors):
                continue
            longest = int(np.diff(vectors.starts).max(initial=0))
            if longest > limit.max_vectors:
                raise bad_request(
                    f"Multivector '{name}' has a limit of {limit.max_vectors} vectors, "
                    f"but {longest} were provided!"
                )


def strict_of(collection: Collection, rates: Rates, *, charges: bool = True) -> Strict | None:
    """Return a collection's limits, None when strict mode is off."""
    declared = collection.config.declared.get("strict_mode_config")
    if not declared or not declared.get("enabled"):
        return None
    return Strict(msgspec.convert(declared, Limits), collection, rates, charges)


def _points_of(update: Write) -> int:
    """Return how many points a write names."""
    return update.selected if update.batch is None else len(update.batch.ids)


def _within(name: str, value: float | None, limit: float | None) -> None:
    if value is not None and limit is not None and value > limit:
        raise refusal(
            f'Limit exceeded {value} > {limit} for "{name}"',
            f'Reduce the "{name}" parameter to or below {limit}.',
        )
