"""Sources are opened by what they are called."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.from_arrays import ArrayReader
from palimpsest.app.transfer.from_lines import LinesReader
from palimpsest.app.transfer.from_server import ServerReader
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.sources import Reading, absolute, open_source
from tests.unit.transfer.scripted import Answer, scripted
from tests.unit.transfer.test_from_hnsw import built


def test_each_has_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 2)))
    array = open_source(str(tmp_path / "a.npy"), Reading(Wished(vectors=("é",))))
    assert isinstance(array, ArrayReader) and [*array.shape()] == ["é"]
    built(tmp_path / "a")
    index = open_source(f"hnswlib:{tmp_path / 'a'}", Reading())
    assert index.unit == "element"
    index.close()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    assert isinstance(open_source("-", Reading()), LinesReader)
    info = {"config": {"params": {}}}
    with scripted([Answer(body=info), Answer(body={"count": 3})]) as server:
        url = f"{server.url}/below/collections/a%2Fb/"
        other = open_source(url, Reading(key="k3y"))
        assert isinstance(other, ServerReader) and other.total == 3
        other.close()
    assert [one.path for one in server.got] == [
        "/below/collections/a%2Fb",
        "/below/collections/a%2Fb/points/count",
    ]
    assert {one.headers["api-key"] for one in server.got} == {"k3y"}


@pytest.mark.parametrize(
    ("source", "reading", "why"),
    [
        ("a.csv", Reading(), "expected FILE.parquet"),
        ("http://a/", Reading(), "expected FILE.parquet"),
        ("a.jsonl", Reading(ids=Path("b")), "--ids and --payloads are for .npy"),
        ("http://a/collections/b", Reading(Wished(id="x")), "has no columns"),
        ("a.npy", Reading(Wished(vectors=("a", "b"))), "has no columns"),
        ("hnswlib:a", Reading(Wished(payload=("a",))), "has no columns"),
        ("no.jsonl", Reading(), "No such file"),
    ],
)
def test_what_cannot_be_is_told(source: str, reading: Reading, why: str) -> None:
    with pytest.raises(WrongUse, match=why):
        open_source(source, reading)


def test_a_source_is_the_same_from_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    told = [absolute(one) for one in ("a.npy", "hnswlib:a", "-", "http://h/collections/c")]
    assert told == ["/usr/a.npy", "hnswlib:/usr/a", "-", "http://h/collections/c"]
    assert Reading(Wished(id="x"), ids=Path("i")).to_json()["ids"] == "/usr/i"
