"""How fast the command imports, beside the server's own rate: the same points, prepared bodies.

Both write the same vectors of a Parquet file to an empty collection of the same server, in turns;
what the other sends is encoded ahead, and in the form that the server reads quickest, so that its
rate is that of the server alone.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.app.transfer.batches import BATCH_BYTES
from palimpsest.app.transfer.importing import CONNECTIONS
from palimpsest.app.transfer.rows import dense_text
from tests.bench import servers
from tests.bench.report import Result, rate

ROWS, SIZE = 200_000, 384
SEED = 3
_TURNS = 3  # of each, the best counts
_PATH = "/collections/imported"
_JSON = {"Content-Type": "application/json"}


def measure(rows: int = ROWS) -> Iterator[Result]:
    """Yield the one row: points a second of the command against those of prepared requests."""
    # Only this part needs it: the other benches run where it is not installed.
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    vectors = np.random.default_rng(SEED).standard_normal((rows, SIZE), dtype=np.float32)
    requests = _prepared(vectors)
    own: list[float] = []
    command: list[float] = []
    moving: list[float] = []  # the command once it has begun: its start takes a second of a core
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        column = arrow.FixedSizeListArray.from_arrays(arrow.array(vectors.ravel()), SIZE)
        table = arrow.table({"id": np.arange(rows, dtype=np.uint64), "emb": column})
        parquet.write_table(table, folder / "rows.parquet", row_group_size=20_000)
        del table, column
        for turn in range(_TURNS):
            order = (own, command) if turn % 2 else (command, own)
            for which in order:  # neither is always the first
                with tempfile.TemporaryDirectory() as data:
                    with servers.running(servers.palimpsest(Path(data))) as server:
                        server.call("PUT", _PATH, {"vectors": {"size": SIZE, "distance": "Cosine"}})
                        begun = time.perf_counter()
                        if which is own:
                            _send(server, requests)
                        else:
                            moving.append(rows / _import(server, folder))
                        which.append(rows / (time.perf_counter() - begun))
                        _check(server, rows)
    yield Result(
        f"import of {rows:,} x {SIZE} from Parquet, against the same as prepared requests",
        ">= 0.9x",
        "",
        f"{max(command) / max(own):.2f}x ({rate(max(command))} against {rate(max(own))}); "
        f"{max(moving) / max(own):.2f}x without the start of the command",
    )


def _prepared(vectors: NDArray[np.float32]) -> list[bytes]:
    """Return upserts of all rows, of about the bytes that the command sends at once."""
    each = BATCH_BYTES // (SIZE * 6)
    requests = []
    for start in range(0, len(vectors), each):
        points = [
            b'{"id":%d,"vector":%s}' % (start + place, dense_text(vector.data))
            for place, vector in enumerate(vectors[start : start + each])
        ]
        requests.append(b'{"points":[' + b",".join(points) + b"]}")
    return requests


def _send(server: servers.Server, requests: list[bytes]) -> None:
    """Send all of them; one that is refused for want of room is sent again when it says."""
    left = deque(requests)
    failed: list[BaseException] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        try:
            while True:
                try:
                    body = left.popleft()
                except IndexError:
                    return
                while (seconds := _put(connection, body)) > 0:
                    time.sleep(seconds)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _put(connection: http.client.HTTPConnection, body: bytes) -> int:
    """Send points; return the seconds after which to come again, 0 when they were taken."""
    connection.request("PUT", f"{_PATH}/points?wait=true", body, _JSON)
    reply = connection.getresponse()
    text = reply.read()
    if reply.status == 429:
        return int(reply.headers["retry-after"])
    if reply.status != 200:
        raise RuntimeError(f"{reply.status}: {text[:300]!r}")
    return 0


def _import(server: servers.Server, folder: Path) -> float:
    """Run the command, and return the seconds that it says it took once it had begun."""
    command = [sys.executable, "-m", "palimpsest.app.cli", "import", str(folder / "rows.parquet")]
    command += ["--collection", "imported", "--vector", "emb", "--restart", "--json"]
    command += ["--url", f"http://127.0.0.1:{server.port}"]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return float(json.loads(done.stdout)["seconds"])


def _check(server: servers.Server, rows: int) -> None:
    held = server.call("POST", f"{_PATH}/points/count", {"exact": True})["result"]["count"]
    if held != rows:
        raise RuntimeError(f"expected {rows} points, got {held}")
