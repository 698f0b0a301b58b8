"""Imports into a real server: what arrives, what a kill leaves, what is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from palimpsest.app.transfer.client import Address, Client
from palimpsest.app.transfer.errors import BadRow, TransferError, Unreachable, WrongUse
from palimpsest.app.transfer.exporting import run_export
from palimpsest.app.transfer.importing import Import, Outcome, run_import
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.sources import Reading
from tests.api.gateway import Asked, Whim, at_whim, gateway
from tests.api.moving import DECLARED, contents, everything, fill
from tests.api.served import Server

SMALL = 2_000  # bytes of a body: many of them


pytestmark = pytest.mark.usefixtures("states")


@pytest.fixture
def gone(http: httpx.Client) -> Iterator[str]:
    """The name of a collection that is not there, and will not be."""
    yield "moved é"
    http.delete("/collections/moved%20%C3%A9")


def lines(path: Path, n: int, start: int = 0, size: int = 3) -> Path:
    rng = np.random.default_rng(n)
    path.write_text(
        "".join(
            json.dumps({"id": start + i, "vector": rng.random(size).tolist(), "payload": {"n": i}})
            + "\n"
            for i in range(n)
        )
    )
    return path


def imported(mover: Client, *sources: Path | str, into: str, **how: Any) -> Outcome:
    return run_import(Import(tuple(map(str, sources)), into, **how), mover)


def count(http: httpx.Client, name: str) -> int:
    reply = http.post(f"/collections/{name}/points/count", json={"exact": True})
    return int(reply.json()["result"]["count"])


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_what_is_exported_and_imported_is_the_same_to_the_last_bit(
    suffix: str,
    http: httpx.Client,
    make: Callable[..., str],
    mover: Client,
    tmp_path: Path,
) -> None:
    first, second, path = make(**DECLARED), make(**DECLARED), tmp_path / f"a{suffix}"
    fill(http, first, everything())
    assert run_export(mover, first, path).points == 60
    assert imported(mover, path, into=second).points == 60
    assert contents(http, second) == contents(http, first)


def test_a_collection_is_made_as_its_export_says(
    http: httpx.Client, make: Callable[..., str], mover: Client, gone: str, tmp_path: Path
) -> None:
    first = make(**DECLARED, metadata={"palimpsest": {"seal_rows": 5_000}})
    fill(http, first, everything(12))
    run_export(mover, first, tmp_path / "a.parquet")
    imported(mover, tmp_path / "a.parquet", into=gone, create=True)
    path = "moved%20%C3%A9"
    assert contents(http, path) == contents(http, first)
    configs = [http.get(f"/collections/{n}").json()["result"]["config"] for n in (first, path)]
    assert configs[0] == configs[1]


def test_arrays_and_what_stands_beside_them(
    http: httpx.Client, make: Callable[..., str], mover: Client, tmp_path: Path
) -> None:
    first, second = (make(vectors={"size": 3, "distance": "Cosine"}) for _ in range(2))
    only = [json.dumps({**json.loads(p), "vector": [i, 1, 2]}) for i, p in enumerate(everything(9))]
    fill(http, first, only)
    run_export(mover, first, tmp_path / "a.npy")
    beside = Reading(ids=tmp_path / "a.ids.txt", payloads=tmp_path / "a.payloads.jsonl")
    imported(mover, tmp_path / "a.npy", into=second, reading=beside)
    assert contents(http, second) == contents(http, first)


def test_counted_ids_go_on_from_one_source_to_the_next(
    http: httpx.Client, mover: Client, gone: str, tmp_path: Path
) -> None:
    for name, n in (("a", 5), ("b", 0), ("c", 4)):
        np.save(tmp_path / f"{name}.npy", np.ones((n, 2), dtype="f4"))
    sources = [tmp_path / f"{name}.npy" for name in "abc"]
    done = imported(
        mover, *sources, into=gone, create=True, distance="Dot", first_id=2**60, batch_bytes=60
    )
    assert done.points == 9
    held = [json.loads(one)["id"] for one in contents(http, "moved%20%C3%A9")]
    assert held == [f"int {2**60 + i}" for i in range(9)]


@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_refuses_hangs_up_and_forgets(
    seed: int,
    http: httpx.Client,
    server: Server,
    collection: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("palimpsest.app.transfer.client.FIRST_WAIT", 0.01)
    # Each point stands four times, the last one counts.
    rows = [{"id": n % 50, "vector": [n, 0, 0], "payload": {"n": n}} for n in range(200)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with gateway(server.url, at_whim(seed, 0.4)) as before, Client(Address(before.url)) as mover:
        done = imported(mover, path, into=collection, batch_bytes=SMALL // 4)
    assert done.points == 200 and len({one.whim for one in before.asked}) >= 3
    held = [json.loads(one)["payload"]["n"] for one in contents(http, collection)]
    assert held == [f"int {n}" for n in range(150, 200)]


class Killed(BaseException):
    """An end that nothing is told of."""


def test_killed_anywhere_it_goes_on_and_leaves_nothing_out(
    http: httpx.Client, server: Server, collection: str, tmp_path: Path
) -> None:
    path, left = lines(tmp_path / "a.jsonl", 300), [1]

    def whim(asked: Asked) -> Whim:
        if asked.method == "PUT":
            left[0] -= 1
            if left[0] < 0:
                return "refuse"
        return "pass"

    tries = 0
    with gateway(server.url, whim) as before:
        while True:
            left[0] = tries + 2
            try:
                with Client(Address(before.url), patience=0.05) as mover:
                    done = imported(mover, path, into=collection, batch_bytes=SMALL, connections=3)
                break
            except Unreachable:
                tries += 1
    assert 3 < tries < 20 and done.points == 300 and done.resumed > 100
    assert count(http, collection) == 300
    sent = sum(one.body.count(b'"id"') for one in before.written)
    assert sent < 300 + tries * 6 * 60  # only what was under way comes twice


def test_rows_that_are_no_points_stop_it_or_are_written_down(
    http: httpx.Client, mover: Client, collection: str, tmp_path: Path
) -> None:
    path, bad = lines(tmp_path / "a.jsonl", 40), tmp_path / "bad.jsonl"
    held = path.read_text().splitlines()
    held[10] = "{"
    held[20] = '{"id": 20, "vector": [1, 2]}'  # which only the server knows to be one too few
    path.write_text("\n".join(held))
    with pytest.raises(BadRow, match=r"a\.jsonl, line 11: "):
        imported(mover, path, into=collection)
    assert count(http, collection) == 0
    done = imported(mover, path, into=collection, skip=bad)
    assert (done.points, done.skipped, count(http, collection)) == (38, 2, 38)
    told = [json.loads(line) for line in bad.read_text().splitlines()]
    assert [(one["place"], one["row"]) for one in told] == [(11, held[10]), (21, told[1]["row"])]
    held[10] = held[9]
    path.write_text("\n".join(held))
    with pytest.raises(BadRow, match=r"line 21: the server refuses it: .*point 20"):
        imported(mover, path, into=collection)


def test_a_changed_source_and_a_changed_target_are_noticed(
    http: httpx.Client, server: Server, make: Callable[..., str], tmp_path: Path
) -> None:
    name, path, left = make(vectors={"size": 3, "distance": "Dot"}), tmp_path / "a.jsonl", [3]
    lines(path, 200)

    def whim(asked: Asked) -> Whim:
        left[0] -= asked.method == "PUT"
        return "pass" if left[0] > 0 or asked.method != "PUT" else "refuse"

    with gateway(server.url, whim) as before:
        with Client(Address(before.url), patience=0.05) as mover:
            job = Import((str(path),), name, batch_bytes=SMALL)
            with pytest.raises(Unreachable):
                run_import(job, mover)
        left[0] = 1_000
        with Client(Address(before.url)) as mover:
            body = json.loads(before.written[0].body)
            gone = [one["id"] for one in body["points"]]
            http.post(f"/collections/{name}/points/delete?wait=true", json={"points": gone})
            with pytest.raises(TransferError, match="no longer holds points.*--restart"):
                run_import(job, mover)
            lines(path, 201)
            with pytest.raises(TransferError, match="changed since.*--restart"):
                run_import(job, mover)
            assert run_import(replace(job, restart=True), mover).points == 201
            again = run_import(job, mover)  # nothing is left of the state: all of it
            assert (again.points, again.resumed) == (201, 0)
    assert count(http, name) == 201


def test_a_source_that_changes_while_it_is_read_is_told_of(
    server: Server, collection: str, tmp_path: Path
) -> None:
    path = lines(tmp_path / "a.jsonl", 50)

    def whim(asked: Asked) -> Whim:
        if asked.method == "PUT":
            path.touch()
        return "pass"

    with gateway(server.url, whim) as before, Client(Address(before.url)) as mover:
        with pytest.raises(TransferError, match="changed while it was read"):
            imported(mover, path, into=collection)


def test_what_does_not_fit_is_refused_before_anything_is_written(
    http: httpx.Client, mover: Client, collection: str, gone: str, tmp_path: Path
) -> None:
    path = lines(tmp_path / "a.jsonl", 3, size=4)
    with pytest.raises(TransferError, match="expected the unnamed vector: vectors of 3"):
        imported(mover, path, into=collection)
    with pytest.raises(WrongUse, match="--create"):
        imported(mover, path, into=gone)
    with pytest.raises(WrongUse, match="--distance"):
        imported(mover, path, into=gone, create=True)
    with pytest.raises(TransferError, match="exists, with Euclid: expected Dot"):
        imported(
            mover, lines(tmp_path / "b.jsonl", 3), into=collection, create=True, distance="Dot"
        )
    with pytest.raises(WrongUse, match=r"expected FILE\.parquet"):
        imported(mover, tmp_path / "a.csv", into=collection)
    assert count(http, collection) == 0


def test_bodies_too_large_for_the_server_are_split(
    http: httpx.Client, mover: Client, make: Callable[..., str], tmp_path: Path
) -> None:
    name, rows = make(vectors={"size": 1_000, "distance": "Dot"}), np.ones((1_200, 1_000), "f4")
    np.save(tmp_path / "a.npy", rows)  # the server takes 4 MB
    assert imported(mover, tmp_path / "a.npy", into=name, batch_bytes=30 << 20).points == 1_200
    assert count(http, name) == 1_200


def test_tables_are_mapped_as_it_is_said(
    http: httpx.Client, mover: Client, gone: str, tmp_path: Path
) -> None:
    table = pa.table({"key": ["5", "6"], "emb": [[1.0, 2.0], [3.0, 4.0]], "t": ["a", None]})
    pq.write_table(table, tmp_path / "a.parquet")
    reading = Reading(Wished(id="key", vectors=("emb=v",)))
    imported(
        mover, tmp_path / "a.parquet", into=gone, create=True, distance="Euclid", reading=reading
    )
    told = [json.loads(one) for one in contents(http, "moved%20%C3%A9")]
    assert [one["payload"] for one in told] == [{"t": "a"}, {"t": None}]
    assert [*told[0]["vector"]] == ["v"]


def test_no_points_are_no_error(mover: Client, collection: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"\n\n"))
    done = imported(mover, tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz", into=collection)
    assert (done.points, done.skipped) == (0, 0)
