"""Exports from a real server: what a kill leaves, what is refused, what is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from palimpsest.app.transfer import from_server
from palimpsest.app.transfer.client import Address, Client
from palimpsest.app.transfer.errors import Refused, TransferError, Unreachable, WrongUse
from palimpsest.app.transfer.exporting import WRITERS, run_export, writer_of
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Row
from tests.api.gateway import Asked, Whim, gateway
from tests.api.moving import DECLARED, everything, fill
from tests.api.served import Server


@pytest.fixture
def held(make: Callable[..., str], http: httpx.Client) -> str:
    name = make(**DECLARED)
    fill(http, name, everything(100))
    return name


def test_killed_anywhere_it_goes_on_and_leaves_nothing_out(
    held: str,
    server: Server,
    mover: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(from_server, "MOST", 9)
    monkeypatch.setattr(from_server, "LEAST", 9)
    run_export(mover, held, tmp_path / "whole.jsonl")
    left, tries = [1], 0

    def whim(asked: Asked) -> Whim:
        if asked.path.endswith("/scroll"):
            left[0] -= 1
            return "pass" if left[0] >= 0 else "refuse"
        return "pass"

    with gateway(server.url, whim) as before:
        while True:
            left[0] = 3
            try:
                with Client(Address(before.url), patience=0.05) as other:
                    done = run_export(other, held, tmp_path / "parts.jsonl")
                break
            except Unreachable:
                tries += 1
    assert tries >= 3 and (done.points, done.resumed > 0) == (100, True)
    assert (tmp_path / "parts.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["parts.jsonl", "whole.jsonl"]


def test_a_point_that_a_page_ended_with_may_be_gone(
    held: str, http: httpx.Client, mover: Client, tmp_path: Path
) -> None:
    run_export(mover, held, tmp_path / "a.jsonl")
    ids = [json.loads(line)["id"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    reader = from_server.ServerReader(mover, held)
    http.post(f"/collections/{held}/points/delete?wait=true", json={"points": [ids[40]]})
    rest = [*reader.read(Start(41, ids[40]), 0)]
    assert [one.id for one in rest if isinstance(one, Row)] == ids[41:]
    assert rest[0].place == 41


@pytest.mark.parametrize("name", ["a.npy", "a.ids.txt", "a.payloads.jsonl"])
def test_no_file_beside_an_array_is_written_over(
    name: str, make: Callable[..., str], mover: Client, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(WrongUse, match=f"{name}: exists"):
        run_export(mover, make(vectors={"size": 3, "distance": "Dot"}), tmp_path / "a.npy")
    assert (tmp_path / name).read_text() == "mine"


def test_a_file_that_is_there_stays(held: str, mover: Client, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("mine")
    with pytest.raises(WrongUse, match="exists"):
        run_export(mover, held, tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_text() == "mine"


def test_what_cannot_be_written_is_told_before_anything_is_read(
    held: str, mover: Client, tmp_path: Path
) -> None:
    with pytest.raises(WrongUse, match="one dense vector a point"):
        run_export(mover, held, tmp_path / "a.npy")
    with pytest.raises(WrongUse, match="ends in .jsonl"):
        run_export(mover, held, tmp_path / "a.csv")
    with pytest.raises(Refused, match="404"):
        run_export(mover, "no", tmp_path / "a.jsonl")
    assert [*tmp_path.iterdir()] == []
    assert {writer_of(Path(f"a{suffix}")) for suffix in WRITERS} == {*WRITERS.values()}


def test_what_is_left_of_another_export_is_not_gone_on_with(
    held: str, make: Callable[..., str], mover: Client, tmp_path: Path
) -> None:
    for name in ("a.jsonl.partial", "a.jsonl.partial.json"):
        (tmp_path / name).write_text('{"source": "other"}' if name.endswith("json") else "")
    with pytest.raises(TransferError, match="--restart"):
        run_export(mover, held, tmp_path / "a.jsonl")
    assert run_export(mover, held, tmp_path / "a.jsonl", restart=True).points == 100


def made_anew(http: httpx.Client, name: str) -> None:
    http.delete(f"/collections/{name}")
    assert http.put(f"/collections/{name}", json=DECLARED).status_code == 200
    fill(http, name, everything(100, seed=1))


def test_a_collection_of_the_same_name_is_not_gone_on_with(
    held: str, http: httpx.Client, server: Server, mover: Client, tmp_path: Path
) -> None:
    with gateway(server.url, lambda asked: "refuse" if "scroll" in asked.path else "pass") as shut:
        with Client(Address(shut.url), patience=0.01) as other, pytest.raises(Unreachable):
            run_export(other, held, tmp_path / "a.jsonl")
        # so that what was noted is of this very collection, by the address that is asked
        note = tmp_path / "a.jsonl.partial.json"
        note.write_text(note.read_text().replace(shut.url, server.url))
    made_anew(http, held)
    with pytest.raises(TransferError, match="another state of its collection"):
        run_export(mover, held, tmp_path / "a.jsonl")
    assert run_export(mover, held, tmp_path / "a.jsonl", restart=True).points == 100


def test_a_collection_that_is_made_anew_while_it_is_exported_is_told(
    held: str, http: httpx.Client, server: Server, tmp_path: Path
) -> None:
    def whim(asked: Asked) -> Whim:
        if asked.path.endswith("/scroll"):
            made_anew(http, held)
        return "pass"

    with gateway(server.url, whim) as before, Client(Address(before.url)) as mover:
        with pytest.raises(TransferError, match="made anew"):
            run_export(mover, held, tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()


def test_points_that_came_meanwhile_are_told_of(
    held: str, http: httpx.Client, server: Server, tmp_path: Path
) -> None:
    def whim(asked: Asked) -> Whim:
        if asked.path.endswith("/scroll"):
            fill(http, held, [f'{{"id":{2**63},"vector":{{}}}}'])
        return "pass"

    with gateway(server.url, whim) as before, Client(Address(before.url)) as mover:
        done = run_export(mover, held, tmp_path / "a.jsonl")
    assert done.points == 101 and "was written to meanwhile" in done.notes[0]


def test_a_collection_of_nothing(make: Callable[..., str], mover: Client, tmp_path: Path) -> None:
    name = make(**DECLARED)
    for suffix in (".jsonl", ".jsonl.gz", ".parquet"):
        assert run_export(mover, name, tmp_path / f"a{suffix}").points == 0
    only = make(vectors={"size": 2, "distance": "Dot"})
    assert run_export(mover, only, tmp_path / "a.npy").points == 0
