"""Files that others determine are made anew; only originals and the store are not."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Damaged,
    Database,
    Distance,
    MaintenanceConfig,
    NamedSparse,
    PointBatch,
    SearchRequest,
    SparseConfig,
    SparseVector,
    VectorConfig,
)
from palimpsest.index.kinds.sparse.rows import SparseRows
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.storage.files import DESCRIPTION, open_folder, write_folder
from palimpsest.index.storage.local import Local
from tests.points import batch_of

POINTS = 1_200
SIZE = 8
SOON = 60  # seconds, for what takes a few


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 4
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flip": flip,
    "truncate": truncate,
    "remove": Path.unlink,
}


def config() -> CollectionConfig:
    return CollectionConfig(
        vectors={"": VectorConfig(SIZE, Distance.EUCLID, encoding="8", originals="float32")},
        maintenance=MaintenanceConfig(seal_rows=POINTS, quiet_rows=1, quiet_seconds=0.0),
    )


def vectors() -> np.ndarray:
    drawn = np.random.default_rng(3).standard_normal((POINTS, SIZE))
    return drawn.astype(np.float32)


def segment_of(data: Path) -> Path:
    (folder,) = (data / "collections" / "c" / "segments").iterdir()
    return folder


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("c", config())
        collection.upsert(batch_of(range(POINTS), vectors())).result()
        wait_until(
            lambda: collection.state().pending == 0 and bool(collection.view.vectors[0].sealed)
        )
    return tmp_path


def nearest(collection: Collection, query: np.ndarray) -> list[object]:
    return [*collection.search(SearchRequest(query, "", 5)).ids]


DERIVED = ("graph_*", "codes", "encoder_*", "by_slot")


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
@pytest.mark.parametrize("pattern", DERIVED)
def test_what_originals_determine_is_made_anew(
    pattern: str, damage: Callable[[Path], None], data: Path
) -> None:
    before = segment_of(data)
    files = [*before.glob(f"{pattern}.npy")]
    assert files, [*before.iterdir()]
    damage(files[0])
    every = vectors()
    with Database.open(data, threads=1) as database:
        assert not database.damaged()
        collection = database.get("c")
        for number in (0, 7, POINTS - 1):
            expected = np.argsort(((every - every[number]) ** 2).sum(axis=1))[:5].tolist()
            found = collection.search(SearchRequest(every[number], "", 5))
            assert [*found.ids] == expected
        assert len(collection.retrieve(range(POINTS), with_vectors=True)) == POINTS
        wait_until(lambda: collection.state().pending == 0)
        (part,) = collection.view.vectors[0].sealed
        assert part.segment.lacking == () and part.segment.name != before.name
        assert collection.state().last_error is None
    after = segment_of(data)
    assert {one.name for one in after.iterdir()} >= {one.name for one in files}
    with Database.open(data, threads=1) as database:
        assert nearest(database.get("c"), every[7])[0] == 7


def test_a_graph_is_made_anew_of_codes_that_stay_as_they_are(tmp_path: Path) -> None:
    """Coded a second time, vectors without originals would be others."""
    space = VectorConfig(SIZE, Distance.DOT, encoding="4", originals="none")
    maintenance = MaintenanceConfig(seal_rows=POINTS, quiet_rows=1, quiet_seconds=0.0)
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("c", CollectionConfig({"": space}, maintenance))
        collection.upsert(batch_of(range(POINTS), vectors())).result()
        wait_until(lambda: bool(collection.view.vectors[0].sealed))
        wait_until(lambda: collection.state().pending == 0)
        before = collection.retrieve(range(POINTS), with_vectors=True)
    old = segment_of(tmp_path)
    flip(old / "graph_links.npy")
    with Database.open(tmp_path, threads=1) as database:
        collection = database.get("c")
        wait_until(lambda: collection.view.vectors[0].sealed[0].segment.name != old.name)
        after = collection.retrieve(range(POINTS), with_vectors=True)
        (part,) = collection.view.vectors[0].sealed
        assert part.segment.searcher.has_graph and part.segment.lacking == ()
    for one, other in zip(before, after, strict=True):
        assert one.vectors[""].tobytes() == other.vectors[""].tobytes()  # type: ignore[union-attr]


SENSELESS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "graph_links": lambda array: np.full_like(array, 255),
    "graph_offsets": lambda array: array[:-1],
    "codes": lambda array: array[:5],
    "encoder_centroid": lambda array: np.zeros(3, dtype=np.float32),
    "by_slot": lambda array: array,
}


@pytest.mark.parametrize("name", list(SENSELESS))
def test_contents_without_sense_are_made_anew_too(name: str, data: Path) -> None:
    """Every checksum is right, as a fault in the server that wrote them would leave it."""
    folder = segment_of(data)
    checksum = zlib.crc32((folder / DESCRIPTION).read_bytes())
    files = open_folder(Local(folder), checksum)
    arrays = {one.removesuffix(".npy"): files.loaded(one[:-4]) for one in files.buffers}
    arrays[name] = SENSELESS[name](arrays[name])
    described = {key: one for key, one in files.description.items() if key != "files"}
    made = Local(folder.with_name("made"))
    segment = Sealed.open(made, write_folder(made, arrays, described))
    assert segment.n == POINTS
    assert (f"{name}.npy" in segment.lacking) == (name != "by_slot")
    np.testing.assert_array_equal(segment.find(segment.slots[:9]), np.arange(9))


def test_a_segment_that_makes_no_sense_is_damaged(data: Path) -> None:
    folder = segment_of(data)
    files = open_folder(Local(folder), zlib.crc32((folder / DESCRIPTION).read_bytes()))
    arrays = {one.removesuffix(".npy"): files.loaded(one[:-4]) for one in files.buffers}
    arrays["kept"] = arrays["kept"][:, :3]
    described = {key: one for key, one in files.description.items() if key != "files"}
    made = Local(folder.with_name("made"))
    with pytest.raises(Damaged, match="made is damaged: segment expected contents that fit"):
        Sealed.open(made, write_folder(made, arrays, described))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
@pytest.mark.parametrize("name", ["kept", "ids", "slots", "numbers", "seqs"])
def test_originals_are_not_and_are_named(
    name: str, damage: Callable[[Path], None], data: Path
) -> None:
    file = segment_of(data) / f"{name}.npy"
    damage(file)
    with Database.open(data, threads=1) as database:
        with pytest.raises(Damaged, match=str(file)) as caught:
            database.get("c")
        assert "delete" not in str(caught.value)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_posting_lists_are_made_anew(damage: Callable[[Path], None], tmp_path: Path) -> None:
    config = CollectionConfig(
        vectors={"s": SparseConfig()},
        maintenance=MaintenanceConfig(seal_rows=64, quiet_rows=1, quiet_seconds=0.0),
    )
    n = 80
    rows = SparseRows(
        np.arange(n + 1, dtype=np.int64),
        (np.arange(n) % 7).astype(np.uint32),
        np.arange(1, n + 1, dtype=np.float32),
    )
    query = SparseVector(np.array([3], dtype=np.uint32), np.array([1.0], dtype=np.float32))
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("c", config)
        batch = PointBatch(range(n), {"s": NamedSparse(np.arange(n), rows)}, [None] * n)
        collection.upsert(batch).result()
        wait_until(
            lambda: collection.state().pending == 0 and bool(collection.view.vectors[0].sealed)
        )
        expected = collection.search(SearchRequest(query, "s", 5)).ids
    for file in segment_of(tmp_path).glob("postings_*.npy"):
        damage(file)
    damage(segment_of(tmp_path) / "by_slot.npy")
    with Database.open(tmp_path, threads=1) as database:
        collection = database.get("c")
        assert collection.search(SearchRequest(query, "s", 5)).ids == expected
        wait_until(lambda: not collection.view.vectors[0].sealed[0].segment.lacking)
        assert collection.search(SearchRequest(query, "s", 5)).ids == expected
