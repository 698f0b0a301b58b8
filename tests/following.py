"""A collection that changes at random in every way, and views as they are compared."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
from pyroaring import BitMap

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    FieldIndex,
    FitRequest,
    MaintenanceConfig,
    NamedSparse,
    NamedVectors,
    Pairs,
    PointBatch,
    SparseConfig,
    SparseRows,
    VectorConfig,
)
from palimpsest.index.errors import PalimpsestError
from palimpsest.index.filters.paths import parse_path
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.types import Vectors
from palimpsest.index.view.bridge import Bridge
from palimpsest.index.view.view import View
from tests.fields import wait_until_built

SIZE, POINTS = 4, 60
LATENT = np.random.default_rng(8).standard_normal((POINTS, SIZE)).astype(np.float32)


def config() -> CollectionConfig:
    maintenance = MaintenanceConfig(seal_rows=64, quiet_rows=1, quiet_seconds=0, tier_factor=2)
    vectors: dict[str, VectorConfig | SparseConfig] = {
        "": VectorConfig(SIZE, Distance.COSINE, "8"),
        "s": SparseConfig(),
    }
    return CollectionConfig(vectors, maintenance)


def state_of(view: View) -> dict[str, object]:
    """Return all that answers depend on, as it is compared."""
    live = np.array([*view.live], dtype=np.uint32)
    return {
        "seq": view.seq,
        "live": [*view.live],
        "seqs": view.seqs.of(live),
        "config": view.config.to_json(),
        "bridges": {
            column: [bridge_of(one) for one in bridges] for column, bridges in view.bridges.items()
        },
        "columns": {
            column: (
                [
                    (part.segment.name, part.n, part.dead.dead_rows(part.n).tolist(), [*part.held])
                    for part in vectors.sealed
                ],
                [row for part in vectors.growing for row in rows_of(part)],
            )
            for column, vectors in view.vectors.items()
        },
    }


def indexed(indexes: PayloadIndexes, live: BitMap) -> dict[str, object]:
    """Return what payload indexes hold of points: how many have each value."""
    counts = {key: indexes.value_counts(parse_path(key), live) for key in indexes.fields}
    return {key: None if one is None else sorted(one) for key, one in counts.items()}


def bridge_of(one: Bridge) -> tuple[object, ...]:
    report = None if one.fitted is None else one.fitted.report
    return one.column, one.rows, one.queries, one.needed, repr(report)


def rows_of(part: object) -> Iterator[tuple[object, ...]]:
    """Yield each growing row: its slot, point, seq and vector, and whether it is dead."""
    n, columns = part.n, part.columns  # type: ignore[attr-defined]
    dead = {*part.dead.dead_rows(n).tolist()}  # type: ignore[attr-defined]
    for row in range(n):
        if hasattr(columns, "vectors"):
            vector = columns.vectors[row].tobytes()
        else:
            one = columns.rows(row, row + 1)
            vector = one.indices.tobytes(), one.values.tobytes()
        said = columns.slots[row], columns.numbers[row], columns.seqs[row]
        yield (*map(int, said), columns.ids[row].tobytes(), vector, row in dead)


class World:
    """A collection, and random changes of it."""

    def __init__(self, collection: Collection, seed: int) -> None:
        self.collection = collection
        self.draw = random.Random(seed)
        self.versions = 0
        self.done = Counter[str]()  # by kind of change

    def some(self) -> list[int]:
        return sorted(self.draw.sample(range(POINTS), self.draw.randint(1, 12)))

    def vectors(self, ids: list[int]) -> Vectors:
        noise = np.random.default_rng(self.draw.randrange(1 << 30)).standard_normal(
            (len(ids), SIZE)
        )
        return (LATENT[ids] + 0.1 * noise).astype(np.float32)

    def upsert(self) -> None:
        ids = self.some()
        named: dict[str, NamedVectors | NamedSparse] = {}
        names = [n for n in self.collection.config.names if n != "s"]
        for name in names:
            if self.draw.random() < 0.7:
                named[name] = NamedVectors(np.arange(len(ids)), self.vectors(ids))
        if self.draw.random() < 0.4:
            indptr = np.arange(len(ids) + 1)
            indices = np.array([n % 7 for n in ids], dtype=np.uint32)
            values = np.ones(len(ids), dtype=np.float32)
            named["s"] = NamedSparse(np.arange(len(ids)), SparseRows(indptr, indices, values))
        payloads = [b'{"n": %d}' % n if n % 2 else None for n in ids]
        self.collection.upsert(PointBatch(ids, named, payloads)).result()

    def delete(self) -> None:
        self.collection.delete(self.some()).result()

    def delete_vectors(self) -> None:
        self.collection.delete_vectors(self.some(), [""]).result()

    def edit(self) -> None:
        self.collection.set_payload(self.some(), b'{"n": %d}' % self.draw.randrange(9)).result()

    def seal(self) -> None:
        self.collection.upkeep.seal()

    def freeze(self) -> None:
        """As a seal begins, which then takes long."""
        upkeep, writer = self.collection.upkeep, self.collection.writer
        writer.call(lambda: upkeep._freeze(0, writer.view.vectors[0].growing[0])).result()

    def compact(self) -> None:
        self.collection.upkeep.compact()

    def index(self) -> None:
        self.collection.create_index("n", FieldIndex.from_declared("integer")).result()
        wait_until_built()  # and written

    def save(self) -> None:
        self.collection.fields.save()

    def drop_index(self) -> None:
        self.collection.drop_index("n").result()

    def declare(self) -> None:
        self.versions += 1
        space = VectorConfig(SIZE, Distance.COSINE)
        self.collection.versions.declare("", f"m{self.versions}", space, declared={})

    def fit(self) -> None:
        version = self.named_version()
        pairs = Pairs(LATENT, np.ascontiguousarray(LATENT[:, ::-1]))
        self.collection.versions.fit(FitRequest("v1", version, kind="ridge", pairs=pairs))

    def fit_back(self) -> None:
        pairs = Pairs(np.ascontiguousarray(LATENT[:, ::-1]), LATENT)
        self.collection.versions.fit(FitRequest("m1", "v1", kind="ridge", pairs=pairs))

    def drop_back(self) -> None:
        self.collection.versions.drop("", "v1", force=True)

    def activate(self) -> None:
        self.collection.versions.activate("", self.named_version(), force=True)

    def drop(self) -> None:
        self.collection.versions.drop("", self.named_version(), force=True)

    def named_version(self) -> str:
        return f"m{self.draw.randint(1, max(1, self.versions))}"

    def add_vector(self) -> None:
        self.collection.add_vector("extra", VectorConfig(SIZE, Distance.DOT), dict)

    def drop_vector(self) -> None:
        self.collection.drop_vector("extra", dict)

    def step(self) -> None:
        steps: list[tuple[Callable[[], None], int]] = [
            (self.upsert, 10), (self.delete, 3), (self.delete_vectors, 2), (self.edit, 2),
            (self.seal, 3), (self.freeze, 1), (self.compact, 2), (self.declare, 2), (self.fit, 2),
            (self.activate, 2), (self.drop, 1), (self.add_vector, 1), (self.drop_vector, 1),
            (self.index, 2), (self.save, 1), (self.drop_index, 1),
        ]  # fmt: skip
        (chosen,) = self.draw.choices([s for s, _ in steps], [w for _, w in steps])
        with suppress(PalimpsestError):  # what is not there, or is there already
            chosen()
            self.done[chosen.__name__] += 1
