"""A page of the store is lost, and reads as zeros: every error names the file and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection, Database, HasId, PalimpsestError, SearchRequest
from palimpsest.index.filters.expression import Filter
from tests.unit.doctor.making import SIZE, batch, make, opened

_PAGE = 4_096
_REMEDIES = ("restore ", "palimpsest.index.doctor.restoring", "palimpsest doctor")


@pytest.fixture(scope="module", params=["indexed", "plain"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("whole") / "data"
    folder = make(data, sealed=300, staged=40)
    with opened(folder) as collection:
        if request.param == "plain":  # then other tables are read at an opening
            collection.drop_index("n").result(60)
        collection.set_payload([5, 6], b'{"m":1}').result(60)
    return data


def requests(one: Collection) -> Iterator[Callable[[], Any]]:
    """Yield what is asked of a collection: each kind of read and write."""
    some = list(range(0, 340, 7))
    yield lambda: one.scroll(None, 1_000)
    yield lambda: one.retrieve(some, with_vectors=True)
    yield lambda: one.count(Filter(must=(HasId(frozenset(some)),)))
    yield lambda: one.search(SearchRequest(np.ones(SIZE, dtype=np.float32), k=5))
    yield lambda: one.upsert(batch(range(330, 350), 2)).result(60)
    yield lambda: one.set_payload(some, b'{"m":1}').result(60)
    yield lambda: one.delete([1, 2, 301]).result(60)
    yield lambda: one.drop_index("n").result(60)
    yield one.state
    yield one.sizes
    yield one.payload_bytes


def errors_of(data: Path) -> Iterator[str]:
    """Yield the text of each error there is; one of another kind ends the test."""
    with Database.open(data, threads=1) as database:
        yield from database.damaged().values()
        if "c" in database.damaged():
            return
        one = database.get("c")
        for ask in requests(one):
            try:
                ask()
            except PalimpsestError as error:
                yield str(error)
        one.upkeep.seal()
        one.upkeep.compact()
        if one.upkeep.last_error is not None:
            yield one.upkeep.last_error


def test_every_error_of_a_zeroed_page_names_the_file_and_what_to_do(
    whole: Path, tmp_path: Path
) -> None:
    store = Path("collections/c/store.sqlite3")
    pages = (whole / store).stat().st_size // _PAGE
    assert pages > 15
    met = 0
    for page in range(pages):
        data = tmp_path / str(page)
        shutil.copytree(whole, data)
        with open(data / store, "r+b") as file:
            file.seek(page * _PAGE)
            file.write(bytes(_PAGE))
        for text in errors_of(data):
            met += 1
            assert str(data / "collections" / "c") in text, (page, text)
            assert any(remedy in text for remedy in _REMEDIES), (page, text)
            assert "Error(" not in text, (page, text)  # what it is was not known
        shutil.rmtree(data)
    assert met > pages // 2
