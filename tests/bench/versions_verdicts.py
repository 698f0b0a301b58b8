"""What is advised for each pair of models, before and after queries are judged, and if rightly.

The report of an adapter may not say "bridge": that takes judged queries. Every second query is
judged and compared; the others tell what is true. "bridge" is right where queries of the new model,
over old rows, find the known item at least as often as the old model does by itself, by exact
search over all passages that both models embedded, with the very adapter of the report.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from palimpsest.index import Collection, CompareRequest
from tests.bench import versions_engine as engine
from tests.bench import versions_exact as exact
from tests.bench.corpora import SEED, K
from tests.bench.report import Result
from tests.bench.versions_corpora import Passages
from tests.bench.versions_rows import listed, shares

_HALF = 12_000  # the passages that v3 embedded


def measure(texts: Passages) -> Iterator[Result]:
    """Yield a row for each pair of models, and one for v3 over v2."""
    with engine.holding(texts.rows["v1"]) as collection:
        pairs = _pairs(texts)
        for version in ("v0", "v2"):
            engine.declare(collection, version, texts.rows[version])
            engine.migrate(collection, version, texts.rows[version], pairs)
        for old, new in (("v0", "v1"), ("v0", "v2"), ("v1", "v2")):
            yield _verdict(collection, texts, old, new)
    texts = texts.first(_HALF)
    with engine.holding(texts.rows["v1"]) as collection:
        engine.declare(collection, "v2", texts.rows["v2"])
        engine.migrate(collection, "v2", texts.rows["v2"], np.arange(_HALF))
        engine.declare(collection, "v3", texts.rows["v3"])
        engine.migrate(collection, "v3", texts.rows["v3"], _pairs(texts))
        engine.seal(collection)
        for old in ("v1", "v2"):
            yield _verdict(collection, texts, old, "v3")
        engine.move_back(collection, "v3")
        yield _v3_over_v2(collection, texts)


def _pairs(texts: Passages) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    order = np.random.default_rng(SEED).permutation(len(texts.rows["v1"]))
    return order[: engine.PAIRS]


def _verdict(collection: Collection, texts: Passages, old: str, new: str) -> Result:
    engine.fit(collection, old, new)
    fitted = engine.fitted(collection, old, new)
    unjudged = str(fitted.report["verdict"])
    judged, others = texts.answered[::2], texts.answered[1::2]
    found = collection.versions.compare(
        CompareRequest(
            "",
            old,
            new,
            {version: texts.queries[version][judged] for version in (old, new)},
            relevant=[[int(row)] for row in texts.targets[judged]],
        )
    )
    advised = str(found["verdict"])
    asked = {version: texts.queries[version][others] for version in (old, new)}
    alone = texts.known(exact.best(exact.scores(asked[old], texts.rows[old]), K), others)
    mapped = fitted.adapter.map_rows(texts.rows[old])
    bridged = texts.known(exact.best(exact.scores(asked[new], mapped), K), others)
    right = unjudged != "bridge" and (advised != "bridge" or bridged >= alone)
    kind = fitted.adapter.kind
    return Result(
        f"verdict on {old} -> {new}, {len(mapped):,} rows ({kind}): known item bridged "
        f"{listed([bridged])}, {old} by itself {listed([alone])}",
        "bridge only where that is better",
        "",
        f"{unjudged}, then {advised}: {'met' if right else 'not met'}",
    )


def _v3_over_v2(collection: Collection, texts: Passages) -> Result:
    found = engine.searched(collection, "v3", texts.queries["v3"])
    alone = exact.best(exact.scores(texts.queries["v2"], texts.rows["v2"]), K)
    pairs = _pairs(texts)
    adapter = exact.ridge(texts.rows["v2"][pairs], texts.rows["v3"][pairs])
    twin = exact.best(exact.bridged(texts.queries["v3"], texts.rows["v2"], adapter), K)
    return shares(
        f"v3 query, v2 rows, {_HALF:,} points: share of v3's top 10 "
        f"(v2 by itself {listed([texts.share(alone, 'v3')])})",
        [texts.share(found, "v3")],
        [0.89],
        [0.92],
        [texts.share(twin, "v3")],
    )
