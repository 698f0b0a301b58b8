"""An upgrade of 48,000 passages from v1 to v2: nothing migrated, then more and more of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Collection, VersionedQuery
from palimpsest.index.types import Vectors
from tests.bench import versions_engine as engine
from tests.bench import versions_exact as exact
from tests.bench import versions_merges as merges
from tests.bench.corpora import SEED, K
from tests.bench.report import Result
from tests.bench.versions_corpora import Found, Passages
from tests.bench.versions_rows import listed, shares

ENDS = merges.ENDS
NEW = ENDS[1]
_DEPTHS = (10, 100, 200)
_CANDIDATES = 200
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_MUST = {0.5: 0.80, 0.9: 0.92, 1.0: 1.0}
_SLACK = 2e-3  # a step down by one answer of 739 is not taken for one


def measure(texts: Passages) -> Iterator[Result]:
    """Yield the rows of one upgrade, step by step."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(texts.rows[NEW]))
    pairs = order[: engine.PAIRS]
    twin = _Twin(texts, pairs)
    with engine.holding(texts.rows[engine.OLD]) as collection:
        engine.declare(collection, NEW, texts.rows[NEW])
        engine.fit_on_held(collection, ENDS, texts.rows[NEW], pairs)
        yield from _bridged(collection, texts, twin)
        yield _both_queries(collection, texts, twin)
        yield _cascade(collection, texts, twin)
        yield from _steps(collection, texts, twin, order[engine.PAIRS :], rng.permutation(order))


class _Twin:
    """The same by exact search in numpy, with a ridge fitted on the same pairs."""

    def __init__(self, texts: Passages, pairs: NDArray[np.intp]) -> None:
        old, new = texts.rows[engine.OLD], texts.rows[NEW]
        adapter = exact.ridge(old[pairs], new[pairs])
        self._texts = texts
        self.own = exact.scores(texts.queries[engine.OLD], old)
        self.bridged = exact.bridged(texts.queries[NEW], old, adapter)
        self.new = exact.scores(texts.queries[NEW], new)

    def both(self) -> float:
        """Known item with both queries, one third of the weight on the old one."""
        return self._texts.known(exact.best(exact.fused(self.bridged, self.own, 0.3), K))

    def cascade(self) -> float:
        """Known item among the bridged candidates scored anew."""
        found = exact.best(self.bridged, _CANDIDATES)
        return self._texts.known(exact.reranked(found, self.new))

    def mixed(self, migrated: NDArray[np.intp]) -> float:
        """Known item in a raw merge."""
        scored = self.bridged.copy()
        scored[:, migrated] = self.new[:, migrated]
        return self._texts.known(exact.best(scored, K))


def _bridged(collection: Collection, texts: Passages, twin: _Twin) -> Iterator[Result]:
    deep = _shares(texts, engine.searched(collection, NEW, texts.queries[NEW], _CANDIDATES))
    reference = exact.best(twin.bridged, _CANDIDATES)
    kind = engine.fitted(collection, *ENDS).adapter.kind
    yield shares(
        f"v2 query, v1 rows ({kind}, {engine.PAIRS:,} pairs): share of v2's top 10 in the "
        "top 10 / 100 / 200",
        deep,
        (0.35, 0.75, 0.84),
        (0.385, 0.79, 0.87),
        _shares(texts, reference),
    )
    known = _known(collection, texts)
    own = texts.known(exact.best(twin.own, K))
    yield shares(
        f"the same, known item in the top 10 (v1 by itself {listed([own])})",
        [known],
        [0.340],
        [0.360],
        [texts.known(reference)],
    )


def _shares(texts: Passages, found: Found) -> list[float]:
    return [texts.share(found, NEW, depth) for depth in _DEPTHS]


def _both_queries(collection: Collection, texts: Passages, twin: _Twin) -> Result:
    queries = [
        VersionedQuery({engine.OLD: old, NEW: new})
        for old, new in zip(texts.queries[engine.OLD], texts.queries[NEW], strict=True)
    ]
    known = texts.known(engine.searched(collection, NEW, queries))
    name = "queries of v1 and v2 given, nothing migrated: known item in the top 10"
    return shares(name, [known], [0.380], [0.400], [twin.both()])


def _cascade(collection: Collection, texts: Passages, twin: _Twin) -> Result:
    found = engine.reranked(collection, NEW, texts.queries[NEW], texts.rows[NEW])
    name = f"top {_CANDIDATES} found by the adapter, ranked by v2 vectors supplied: known item"
    return shares(name, [texts.known(found)], [0.485], [0.500], [twin.cascade()])


def _steps(
    collection: Collection,
    texts: Passages,
    twin: _Twin,
    spare: NDArray[np.intp],
    order: NDArray[np.intp],
) -> Iterator[Result]:
    """Migrate points in an order; measure the list, and other merges of it.

    The adapter was not fitted on ``spare`` points.
    """
    known: list[float] = []
    expected: list[float] = []
    by_merge: merges.Measured = {}
    held = merges.held_out(texts.rows, spare)
    done = 0
    for share in _SHARES:
        until = round(share * len(order))
        engine.migrate(collection, NEW, texts.rows[NEW], order[done:until])
        engine.seal(collection)
        done = until
        known.append(_known(collection, texts))
        expected.append(twin.mixed(order[:until]))
        if share in merges.SHARES:
            quality = partial(_known, collection, texts)
            for name, value in merges.compare(collection, held, quality):
                by_merge.setdefault(name, []).append(value)
    _require_identity(collection, texts.queries[NEW])
    yield _steps_row(known, expected)
    yield merges.row("48,000 passages, known item", by_merge)


def _known(collection: Collection, texts: Passages) -> float:
    return texts.known(engine.searched(collection, NEW, texts.queries[NEW]))


def _steps_row(known: Sequence[float], expected: Sequence[float]) -> Result:
    parts = [one / known[-1] for one in known]
    monotone = all(b >= a - _SLACK for a, b in zip(parts, parts[1:], strict=False))
    enough = all(parts[_SHARES.index(s)] >= least - 5e-4 for s, least in _MUST.items())
    return Result(
        "mixed list at 10/25/50/75/90/100 % migrated at random: share of the full known item",
        "monotone, .80 at 50 %, .92 at 90 %, 1 at 100 %",
        "",
        f"{listed(parts)}: {'met' if monotone and enough else 'not met'}",
        reference=f"raw merge {listed([one / expected[-1] for one in expected])}",
    )


def _require_identity(collection: Collection, queries: Vectors) -> None:
    """Raise unless a fully migrated collection answers as one that knows no other version."""
    mixed = engine.searched(collection, NEW, queries)
    alone = engine.searched(collection, NEW, queries, bridge="off")
    if not np.array_equal(mixed, alone):
        raise AssertionError("a fully migrated collection does not answer natively")
