"""A server with damaged derived files serves, says so, and makes them anew."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import numpy as np

from tests.api.replies import result
from tests.api.served import serving

URL = "/collections/c"
POINTS = 1_200
SIZE = 8
MINUTE = 60


def graphs_in(data: Path) -> list[Path]:
    files = data.glob("collections/c/segments/*/graph_*.npy")
    return [file for file in files if file.parent.suffix != ".tmp"]


def test_a_segment_without_its_graph_is_served_and_written_anew(tmp_path: Path) -> None:
    drawn = np.random.default_rng(1).standard_normal((POINTS, SIZE)).round(3)
    query = {"query": drawn[5].tolist(), "limit": 3}
    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=MINUTE) as http:
        body = {
            "vectors": {"size": SIZE, "distance": "Euclid"},
            "optimizers_config": {"indexing_threshold": 1},
        }
        result(http.put(URL, json=body))
        points = [{"id": n, "vector": one.tolist()} for n, one in enumerate(drawn)]
        result(http.put(f"{URL}/points?wait=true", json={"points": points}))
        until = time.monotonic() + MINUTE
        while not graphs_in(tmp_path) or result(http.get(URL))["status"] != "green":
            assert time.monotonic() < until
            time.sleep(0.1)
    files = graphs_in(tmp_path)
    for file in [*files, *files[0].parent.glob("codes.npy")]:
        file.write_bytes(file.read_bytes()[:-1])
    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=MINUTE) as http:
        until = time.monotonic() + MINUTE
        reply = http.post(f"{URL}/points/query", json=query)
        assert result(reply)["points"][0]["id"] == 5
        while "damage" in http.post(f"{URL}/points/query", json=query).text:
            assert time.monotonic() < until
            time.sleep(0.1)
        while len(graphs_in(tmp_path)) > len(files):  # until the last reader of the old is done
            assert time.monotonic() < until
            time.sleep(0.1)
        assert len(graphs_in(tmp_path)) == len(files)
        assert result(http.get(URL))["optimizer_status"] == "ok"
