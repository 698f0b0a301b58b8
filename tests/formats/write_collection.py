"""Writes the golden file of the newest collection format: ``collection_<format>.zip``.

    .venv/bin/python -m tests.formats.write_collection FOLDER

Run it when a format is released, and check the file in beside this one; golden files of earlier
formats stay as the code of their time wrote them. Dates, points and vectors are the same in every
run; the names of segments and adapters and the time of a fit are not.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

import numpy as np

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    FieldIndex,
    FitRequest,
    MaintenanceConfig,
    NamedSparse,
    NamedVectors,
    PointBatch,
    PointId,
    SparseConfig,
    SparseRows,
    VectorConfig,
)
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.storage.schema import FORMAT
from palimpsest.index.types import Vectors
from tests.formats import expected
from tests.formats.expected import NAME

_DATE = (2026, 11, 21, 0, 0, 0)
_LATENT = 8
_SIZES = {"": 8, "@v2": 6, "@v3": 4, "b": 4, "b@v2": 5, "h": 3, "u": 3}  # by vector name
_INTS, _UUIDS, _LATER = 140, 10, 10
_MIN_ROWS = 64  # fewer are not sealed


class Texts:
    """Embeddings of points: the same latent vector of a point under each name, and noise."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(20_261_121)
        self._planes = {
            name: self._rng.standard_normal((_LATENT, size)) for name, size in _SIZES.items()
        }
        self._latent = self._rng.standard_normal((1_000, _LATENT))

    def of(self, name: str, numbers: Sequence[int]) -> Vectors:
        """Return the vectors (n, d) of points; anew at each call."""
        rows = self._latent[list(numbers)] @ self._planes[name]
        noise = 0.2 * self._rng.standard_normal(rows.shape)
        return np.asarray(rows + noise, dtype=np.float32)


def point_id(number: int) -> PointId:
    """Return the id of a point by its place in the texts: the first ones are UUIDs."""
    return UUID(int=number + 1) if number < _UUIDS else number - _UUIDS


def batch(texts: Texts, numbers: Sequence[int], names: Iterable[str], tag: str = "") -> PointBatch:
    """Return points; every second one has ``b``, the others the sparse ``s``."""
    vectors: dict[str, NamedVectors | NamedSparse] = {}
    for name in names:
        places = [i for i, n in enumerate(numbers) if name[:1] not in ("b", "s") or n % 2 == 0]
        if name == "s":
            places = [i for i, n in enumerate(numbers) if n % 2]
            vectors[name] = NamedSparse(np.array(places), sparse([numbers[i] for i in places]))
        else:
            values = texts.of(name, [numbers[i] for i in places])
            vectors[name] = NamedVectors(np.array(places), values)
    payloads = [payload_of(n, tag) if tag else None for n in numbers]
    return PointBatch([point_id(n) for n in numbers], vectors, payloads)


def payload_of(number: int, tag: str) -> bytes | None:
    return None if number % 9 == 0 else json.dumps({"n": number, "tag": tag}).encode()


def sparse(numbers: Sequence[int]) -> SparseRows:
    """Return two or three values for each point."""
    rows = [sorted({n % 7, 7 + n % 11, 18 + n % 2}) for n in numbers]
    indices = np.array([one for row in rows for one in row], dtype=np.uint32)
    indptr = np.cumsum([0, *(len(row) for row in rows)])
    values = 1 + np.arange(len(indices)) / len(indices)  # no two points are at one distance
    return SparseRows(indptr, indices, values.astype(np.float32))


def create(folder: Path) -> Collection:
    """Create the collection, and open it without background work, which keeps its own time."""
    config = CollectionConfig(
        {
            "": VectorConfig(_SIZES[""], Distance.COSINE, "4"),
            "b": VectorConfig(_SIZES["b"], Distance.EUCLID, "8", originals="int8"),
            "s": SparseConfig(),
            "h": VectorConfig(
                _SIZES["h"], Distance.DOT, originals="float16", datatype="float16", M=0
            ),
            "u": VectorConfig(_SIZES["u"], Distance.COSINE, datatype="uint8"),
        },
        MaintenanceConfig(seal_rows=1_000, quiet_rows=_MIN_ROWS, quiet_seconds=86_400),
        declared={
            "vectors": {
                "": {"size": _SIZES[""], "distance": "Cosine"},
                "b": {"size": _SIZES["b"], "distance": "Euclid"},
                "h": {"size": _SIZES["h"], "distance": "Dot", "datatype": "float16"},
                "u": {"size": _SIZES["u"], "distance": "Cosine", "datatype": "uint8"},
            },
            "sparse_vectors": {"s": {}},
        },
    )
    with Database.open(folder, threads=1) as database:
        path = database.create(NAME, config).folder
    return Collection.open(NAME, path, threads=1, changed=lambda: None)


def fill(collection: Collection, texts: Texts) -> None:
    """Write what every format has: sealed and growing rows, replaced and deleted points."""
    collection.create_index("tag", FieldIndex.from_declared("keyword")).result()
    names = ("", "b", "s", "h", "u")
    first = range(_UUIDS + _INTS)
    collection.upsert(batch(texts, first, names, "first")).result()
    collection.upkeep.seal()
    later = range(first.stop, first.stop + _LATER)
    collection.upsert(batch(texts, [15, 16, *later], names, "second")).result()
    collection.delete([1, 2, 3]).result()
    collection.delete_vectors([10, 11], ["b", "s"]).result()


def upgrade(collection: Collection, texts: Texts) -> None:
    """Begin to upgrade the unnamed vector: half of the points hold v2, some only that."""
    for version, model in (("v2", "model-2"), ("v3", None)):
        size = _SIZES[f"@{version}"]
        space = VectorConfig(size, Distance.COSINE, "4")
        declared = {"size": size, "distance": "Cosine"}
        assert collection.versions.declare("", version, space, model=model, declared=declared)
    half = [n for n in range(_UUIDS + _INTS + _LATER) if n % 2 == 0 and is_there(n)]
    collection.update_vectors(batch(texts, half, ["@v2"])).result()
    collection.upkeep.seal()
    collection.update_vectors(batch(texts, half[:8], ["@v2"])).result()
    collection.update_vectors(batch(texts, half[3:9], ["@v3"])).result()
    collection.versions.retire("", "v3")
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge"))
    collection.upsert(batch(texts, [200, 202], ["@v2"], "third")).result()


def is_there(number: int) -> bool:
    return point_id(number) not in (1, 2, 3)


def activate(collection: Collection, texts: Texts) -> None:
    """Upgrade the named vector: v2 is active, rows of v1 were mapped, and some came later."""
    size = _SIZES["b@v2"]
    space = VectorConfig(size, Distance.EUCLID, "8")
    declared = {"size": size, "distance": "Euclid"}
    assert collection.versions.declare("b", "v2", space, declared=declared)
    sample = range(300, 400)
    pairs = Pairs(texts.of("b", sample), texts.of("b@v2", sample))
    collection.versions.fit(FitRequest("v1", "v2", "b", kind="procrustes", pairs=pairs))
    even = [n for n in range(_UUIDS, _UUIDS + _INTS) if n % 2 == 0 and is_there(n)]
    collection.update_vectors(batch(texts, even[10:30], ["b@v2"])).result()
    collection.versions.activate("b", "v2", force=True)
    assert collection.versions.consolidate("b", "v1", "v2") > 0
    texts_now = batch(texts, even[30:35], ["b@v2"])
    named = {"b": texts_now.vectors["b@v2"]}  # what the bare name means from now on
    collection.update_vectors(PointBatch(texts_now.ids, named, texts_now.payloads)).result()
    late = batch(texts, range(210, 220, 2), ["b"], "third")
    old = {"b@v1": late.vectors["b"]}
    collection.upsert(PointBatch(late.ids, old, late.payloads)).result()


def write(path: Path) -> None:
    """Write the golden file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, texts = Path(temporary), Texts()
        collection = create(folder)
        with closing(collection):
            fill(collection, texts)
            upgrade(collection, texts)
            activate(collection, texts)
            stored = expected.describe(collection) | expected.describe_versions(collection)
            collection.demand.save()
        (folder / "expected.json").write_text(json.dumps(stored))
        pack(folder, path)


def pack(folder: Path, path: Path) -> None:
    """Put the expectation and the collection's files in an archive."""
    files = [folder / "expected.json", *sorted((folder / "collections").rglob("*"))]
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in files:
            if file.is_file():
                entry = zipfile.ZipInfo(str(file.relative_to(folder)), _DATE)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    write(Path(arguments[0]) / f"collection_{FORMAT}.zip")


if __name__ == "__main__":
    main(sys.argv[1:])
