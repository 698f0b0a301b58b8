"""What a mixed search costs beyond the searches in it, and how long adapters take to fit.

Both versions have 384 dimensions here: the old rows are the new ones, rotated and bent a little.
Half the points hold the old version only, the others both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.adapters.kinds import Kind, MappedQuery, Pairs, fit
from palimpsest.index.search.across import Across, across
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.mapped_query import BRIDGED, factors_of, plan_of
from palimpsest.index.search.ranked import ranked
from palimpsest.index.segments.searcher import Scaling
from palimpsest.index.types import Vectors
from tests.bench import versions_engine as engine
from tests.bench.corpora import SEED, K
from tests.bench.report import Result
from tests.bench.versions_corpora import Passages
from tests.bench.versions_rows import seconds

NEW = "v2"
ENDS = (engine.OLD, NEW)
_ROWS = 24_000
_QUERIES = 500
_NOISE = 0.02
_FITS: tuple[tuple[Kind, str, float], ...] = (("ridge", "linear", 1.0), ("mlp", "non-linear", 30.0))


def measure(texts: Passages, rounds: int) -> Iterator[Result]:
    """Yield the rows."""
    new = texts.rows[NEW][:_ROWS]
    old = _bent(new)
    with engine.holding(old) as collection:
        engine.declare(collection, NEW, new)
        pairs = Pairs(old[: engine.PAIRS], new[: engine.PAIRS])
        for kind, name, must in _FITS:
            yield _fit_alone(kind, name, must, pairs)
            yield _fit(collection, kind, pairs)
        engine.fit(collection, *ENDS, "ridge", pairs=pairs)
        half = np.arange(_ROWS // 2, _ROWS)
        engine.migrate(collection, NEW, new, half)
        engine.seal(collection)
        yield _added(collection, texts.queries[NEW][:_QUERIES], rounds)


def _bent(rows: Vectors) -> Vectors:
    rng = np.random.default_rng(SEED)
    size = rows.shape[1]
    rotation = np.linalg.qr(rng.standard_normal((size, size)))[0].astype(np.float32)
    noise = rng.standard_normal(rows.shape, dtype=np.float32) * np.float32(_NOISE)
    bent = rows @ rotation + noise
    return np.asarray(bent / np.linalg.norm(bent, axis=1, keepdims=True))


def _fit_alone(kind: Kind, name: str, must: float, pairs: Pairs) -> Result:
    started = time.perf_counter()
    fit(kind, pairs, Distance.COSINE, Distance.COSINE)
    taken = time.perf_counter() - started
    what = f"fit of a {name} adapter ({kind}) to {len(pairs.rows):,} pairs, 384 dims"
    return seconds(what, taken, must, None, "s")


def _fit(collection: Collection, kind: Kind, pairs: Pairs) -> Result:
    started = time.perf_counter()
    engine.fit(collection, *ENDS, kind, pairs=pairs)
    taken = time.perf_counter() - started
    what = f"the same ({kind}) with its report, stored"
    return Result(what, "", "", f"{taken:.3g} s")


def _added(collection: Collection, queries: Vectors, rounds: int) -> Result:
    """Time whole mixed searches, and the two searches in them, as deep, one after the other.

    Each search takes from the caches what the next one would find there, so two that follow each
    other are slower than each by itself, and a query that was just asked is quicker.
    """
    (one,) = across(collection.view, collection.config.number(f"@{NEW}"), "on").bridges
    mapped = [one.fitted.adapter.map_query(query) for query in queries]

    def whole(place: int) -> None:
        collection.search(SearchRequest(queries[place], f"@{NEW}", k=K))

    def apart(place: int) -> None:
        collection.search(SearchRequest(queries[place], f"@{NEW}", k=BRIDGED, bridge="off"))
        _search_rows(one, mapped[place])

    works: tuple[Callable[[int], None], ...] = (whole, apart)
    best = np.full((len(works), len(queries)), np.inf)
    for _ in range(max(rounds, 3)):
        for row, work in enumerate(works):
            for place in range(len(queries)):
                started = time.perf_counter()
                work(place)
                best[row, place] = min(best[row, place], time.perf_counter() - started)
    mixed, both = best * 1e6
    return seconds(
        f"mixed search of two versions, 384 dims ({np.median(mixed):.0f} us): added to the search "
        f"of each ({np.median(both):.0f} us)",
        float(np.median(mixed - both)),
        60,
        30,
        "us",
    )


def _search_rows(one: Across, mapped: MappedQuery) -> object:
    """Search the old rows as the mixed search does, by a query mapped before."""
    plan = plan_of(SearchRequest(mapped.vector, k=K), one, BRIDGED)
    fitted = one.fitted
    found, _ = search_parts(
        one.dense,
        mapped.vector,
        plan,
        one.rest,
        lambda part: Scaling(factors_of(fitted.factors, part), mapped.shift),
    )
    return ranked(found, BRIDGED)
