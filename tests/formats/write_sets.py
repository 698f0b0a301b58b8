"""Writes the golden file of the newest format of sets of vectors: ``sets_<format>.zip``.

    .venv/bin/python -m tests.formats.write_sets FOLDER

Run it when that format is released, as ``write_collection``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    FdeConfig,
    MaintenanceConfig,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    PointBatch,
    PointId,
    SearchRequest,
)
from palimpsest.index.kinds.multi.sealed import FORMAT
from tests.formats.expected import NAME
from tests.formats.write_collection import pack

_FDE = FdeConfig(k_sim=2, projected=4, repetitions=8)
COLUMNS = {
    "t": MultiConfig(8, Distance.COSINE, fde=_FDE, encoding="4", pool=2),
    "g": MultiConfig(4, Distance.COSINE, "float16", "float16", 2, fde=_FDE),
    "n": MultiConfig(8, Distance.DOT, originals="none", fde=_FDE),
    "u": MultiConfig(4, Distance.COSINE, "uint8"),
    "e": MultiConfig(3, Distance.EUCLID),
    "p": MultiConfig(8, Distance.COSINE, originals="none", pool=2),  # since format 2
}
_SEALED = {"t": 300, "g": 1_030, "n": 80, "u": 70, "e": 70, "p": 90}  # a graph needs 1,024
_GROWING, _LATER, _GONE = 5_000, 10, (3, 5, 8)

Set = NDArray[np.float32]


def sets(name: str, first: int, count: int) -> NamedMultiVectors:
    """Return the sets of points from a number on, of one to four vectors."""
    size, rng = COLUMNS[name].size, np.random.default_rng((20_261_201, first, len(name)))
    starts = np.cumsum([0, *(1 + (first + n) % 4 for n in range(count))], dtype=np.int64)
    values = np.abs(40 * rng.standard_normal((int(starts[-1]), size)))
    signs = 1 if name == "u" else rng.choice([-1, 1], values.shape)
    return NamedMultiVectors(np.arange(count), starts, (values * signs).astype(np.float32))


def fill(collection: Collection) -> None:
    """Write sealed sets and growing ones, and delete some of both."""
    first = list(range(max(_SEALED.values())))
    named = {name: sets(name, 0, count) for name, count in _SEALED.items()}
    collection.upsert(PointBatch(first, named, [None] * len(first))).result()
    collection.upkeep.seal()
    assert collection.upkeep.last_error is None
    ids = list(range(_GROWING, _GROWING + _LATER))
    later = {name: sets(name, _GROWING, _LATER) for name in COLUMNS}
    collection.upsert(PointBatch(ids, later, [None] * _LATER)).result()
    collection.delete([*_GONE, _GROWING + 1]).result()


def describe(collection: Collection) -> dict[str, Any]:
    """Return what points hold, and answers with and without codes."""
    records, _ = collection.scroll(None, 2_000, with_vectors=True)
    held = [
        [one.id, {name: as_lists(it) for name, it in (one.vectors or {}).items()}]
        for one in records
    ]
    answers = {}
    for name, config in COLUMNS.items():
        query = np.abs(np.random.default_rng(7).standard_normal((3, config.size)) * 50)
        asked = MultiVector(query.astype(np.float32))
        found = {
            str(exact): collection.search(SearchRequest(asked, name, k=20, exact=exact))
            for exact in (True, False)
        }
        answers[name] = {
            "query": as_lists(asked),
            **{key: [[*map(int, one.ids)], one.distances.tolist()] for key, one in found.items()},  # type: ignore[arg-type]
            "matched": matched(collection, name, asked, found["False"].ids),
        }
    return {"points": held, "answers": answers}


def matched(
    collection: Collection, name: str, asked: MultiVector, ids: Sequence[PointId]
) -> list[list[Any]]:
    """Return which vectors of sealed sets match, and all that they stand for."""
    own = [one for one in ids if int(one) < _GROWING]
    parts = collection.reading().matched(name, asked, own)
    return [
        [
            one.whole,
            one.best.tolist(),
            None if one.members is None else [place.tolist() for place in one.members.best],
        ]
        for one in parts
        if one is not None
    ]


def as_lists(vector: Any) -> list[list[float]]:
    values: list[list[float]] = vector.values.tolist()
    return values


def write(path: Path) -> None:
    """Write the golden file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        vectors: Mapping[str, MultiConfig] = COLUMNS
        config = CollectionConfig(
            dict(vectors), MaintenanceConfig(quiet_rows=64, quiet_seconds=86_400)
        )
        with Database.open(folder, threads=1) as database:
            place = database.create(NAME, config).folder
        with closing(Collection.open(NAME, place, threads=1, changed=lambda: None)) as collection:
            fill(collection)
            stored = describe(collection)
        (folder / "expected.json").write_text(json.dumps(stored))
        pack(folder, path)


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    write(Path(arguments[0]) / f"sets_{FORMAT}.zip")


if __name__ == "__main__":
    main(sys.argv[1:])
