"""What one would write in an afternoon: FastAPI, msgspec and hnswlib, nothing kept on disk.

`PUT /build` makes an empty index, `PUT /points` adds to it, `POST /query` searches it.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import hnswlib
import msgspec
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response

from tests.bench import EF_CONSTRUCTION, M

app = FastAPI()
_JSON = "application/json"


class Build(msgspec.Struct):
    """An empty index to make."""

    size: int
    n: int
    space: str


class Point(msgspec.Struct):
    """A point as the REST API spells it."""

    id: int
    vector: list[float]


class Points(msgspec.Struct):
    """Points to add."""

    points: list[Point]


class Params(msgspec.Struct):
    """Search parameters."""

    hnsw_ef: int


class Query(msgspec.Struct):
    """A query as the REST API spells it."""

    query: list[float]
    limit: int
    params: Params


class Hit(msgspec.Struct):
    """One found point."""

    id: int
    version: int
    score: float


_build = msgspec.json.Decoder(Build)
_points = msgspec.json.Decoder(Points)
_query = msgspec.json.Decoder(Query)
_encoder = msgspec.json.Encoder()


@app.get("/readyz")
async def readyz() -> str:
    """Say that requests are answered."""
    return "ready"


@app.put("/build")
async def build(request: Request) -> Response:
    """Make an empty index."""
    wanted = _build.decode(await request.body())
    index = hnswlib.Index(wanted.space, wanted.size)
    index.init_index(wanted.n, M=M, ef_construction=EF_CONSTRUCTION)
    app.state.index = index
    return Response(b"{}", media_type=_JSON)


@app.put("/points")
async def add(request: Request) -> Response:
    """Add points, with all cores."""
    points = _points.decode(await request.body()).points
    vectors = np.array([p.vector for p in points], dtype=np.float32)
    app.state.index.add_items(vectors, [p.id for p in points], num_threads=os.cpu_count() or 1)
    return Response(b"{}", media_type=_JSON)


@app.post("/query")
async def query(request: Request) -> Response:
    """Answer with the closest points."""
    wanted = _query.decode(await request.body())
    index: Any = app.state.index
    index.set_ef(wanted.params.hnsw_ef)
    vector = np.array(wanted.query, dtype=np.float32)
    labels, distances = index.knn_query(vector, k=wanted.limit, num_threads=1)
    found = zip(labels[0].tolist(), distances[0].tolist(), strict=True)
    hits = [Hit(number, 0, 1 - distance) for number, distance in found]
    return Response(_encoder.encode({"result": {"points": hits}}), media_type=_JSON)


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
