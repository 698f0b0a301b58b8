"""Sets of vectors written by earlier releases are read, searched, written to and sealed anew."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection, Database, MultiVector, PointBatch, SearchRequest
from palimpsest.index.kinds.multi.candidates import CandidateRows
from palimpsest.index.kinds.multi.lists import CandidateLists
from palimpsest.index.kinds.multi.sealed import FORMAT
from tests.formats.expected import NAME
from tests.formats.write_sets import as_lists, matched, sets
from tests.soundness import require_sound

FILES = sorted(Path(__file__).parent.glob("sets_*.zip"))


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_each_format_has_a_file() -> None:
    assert [path.stem for path in FILES] == [f"sets_{n}" for n in range(1, FORMAT + 1)]


def require_answers(collection: Collection, stored: dict[str, Any], exactly: bool) -> None:
    for name, answers in stored["answers"].items():
        asked = MultiVector(np.array(answers["query"], dtype=np.float32))
        if "matched" in answers:  # since format 2
            assert matched(collection, name, asked, answers["False"][0]) == answers["matched"]
        for exact in (True, False) if exactly else (True,):
            # Of the candidates that the file says are needed: by defaults it is as many as are
            # thought to do for such a query, which is no matter of formats.
            depth = None if exact else depth_of(collection, name)
            found = collection.search(SearchRequest(asked, name, k=20, exact=exact, ef=depth))
            ids, distances = answers[str(exact)]
            assert [*found.ids] == ids, (name, exact)
            np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-5)


def depth_of(collection: Collection, name: str) -> int | None:
    """Return how many candidates the segment of a name needs, None where it has none."""
    column = collection.config.number(name)
    found = [
        part.segment.candidates  # type: ignore[attr-defined]
        for part in collection.view.vectors[column].sealed
    ]
    return max((one.depth for one in found if one is not None), default=None)


def test_reads_and_answers_as_it_did(folder: Path) -> None:
    require_sound(folder / "collections" / NAME)
    stored = json.loads((folder / "expected.json").read_text())
    with Database.open(folder, threads=1) as database:
        collection = database.get(NAME)
        records, _ = collection.scroll(None, 2_000, with_vectors=True)
        held = [
            [one.id, {name: as_lists(it) for name, it in (one.vectors or {}).items()}]
            for one in records
        ]
        assert held == stored["points"]
        require_answers(collection, stored, exactly=True)
        found = [
            part.segment.candidates  # type: ignore[attr-defined]
            for one in collection.view.vectors.values()
            for part in one.sealed
        ]
        rows = [one for one in found if isinstance(one, CandidateRows)]
        has_graph = any(one.dense.searcher.has_graph for one in rows)
        has_lists = any(isinstance(one, CandidateLists) for one in found)
        is_first = all("matched" not in one for one in stored["answers"].values())
        assert has_graph if is_first else has_lists


def test_takes_writes_and_is_sealed_anew(folder: Path) -> None:
    stored = json.loads((folder / "expected.json").read_text())
    with Database.open(folder, threads=1) as database:
        collection = database.get(NAME)
        named = {name: sets(name, 9_000, 3) for name in stored["answers"] if name not in "np"}
        collection.upsert(PointBatch([9_000, 9_001, 9_002], named, [None] * 3)).result()
        collection.upkeep.seal()
        collection.delete([9_000, 9_001, 9_002]).result()
        collection.upkeep.compact()
        require_answers(collection, stored, exactly=False)
    require_sound(folder / "collections" / NAME)
