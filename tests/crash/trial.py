"""One trial: a damaged copy of a directory is served, asked everything, written to, and judged.

Served again, it holds what it answered. A collection that was refused has lost no file, and is as
it was once the damaged files are back from a backup.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.crash.harming import Damaging, Harm
from tests.crash.questions import LONGEST, Question, Truth, Wrong, ask, judge, names_damage
from tests.crash.reading import Client
from tests.crash.stage import HURT, WELL, WIDE, Stage, plain_point, text_of, wide_point
from tests.crash.starter import Server, Starter

MOST = 10.0  # seconds for an answer of the collection that is well; they take milliseconds
ENDS = 30.0  # seconds until a server has stopped
START_SECONDS = 60.0
SHARED = ("store.sqlite3-shm", "store.reach")  # are written anew when a store is opened


@contextmanager
def served(starter: Starter, data: Path) -> Iterator[Server]:
    """Serve a directory; the server is to be ready or to say why not, and to end when asked to."""
    server = Server(starter, data)
    try:
        wait_until_open(server)
        yield server
    except BaseException:
        server.process.kill()
        server.process.wait()
        raise
    if server.process.poll() is not None:
        raise Wrong("the server ended by itself")
    server.process.terminate()
    try:
        code = server.process.wait(ENDS)
    except subprocess.TimeoutExpired as error:
        server.kill()
        raise Wrong(f"the server did not end in {ENDS} s") from error
    if code != 0:
        raise Wrong(f"the server ended with {code}")


def wait_until_open(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise Wrong("the server did not start")
        try:
            reply = httpx.get(f"http://127.0.0.1:{server.port}/readyz", timeout=LONGEST)
        except httpx.TransportError:
            time.sleep(0.005)
            continue
        if "being opened" not in reply.text:
            return
        time.sleep(0.005)
    raise Wrong(f"the server was not open after {START_SECONDS} s")


class Trials:
    """What trials share: the directories, the truth, and a process that starts servers."""

    def __init__(self, stage: Stage, truth: Truth, starter: Starter, base: Path) -> None:
        self._stage, self._truth, self._starter, self._base = stage, truth, starter, base

    def run(self, harm_of: Damaging, seed: str) -> str:
        """Carry one trial out; return its kind and end. Raises Wrong, with all that tells of it."""
        rng = random.Random(seed)
        source = rng.choice((self._stage.rest, self._stage.killed))
        data = Path(shutil.copytree(source, self._base / "data"))
        try:
            harm = harm_of(data, self._stage, rng)
            try:
                end = self._carry_out(data, source, harm, rng)
            except Wrong as error:
                raise Wrong(f"seed {seed!r}, {source.name}, {harm.text}: {error}") from error
            return end
        finally:
            shutil.rmtree(data, ignore_errors=True)

    def _carry_out(self, data: Path, source: Path, harm: Harm, rng: random.Random) -> str:
        before = digests(data)
        with served(self._starter, data) as server:
            refused = refused_ones(server.port)
            named = self._ask(server.port)
            written = {} if refused or rng.random() < 0.5 else write(server.port)
        if refused:
            require_nothing_gone(data, source, refused, harm)
        if named or written:
            with served(self._starter, data) as server:
                for name, points in written.items():
                    require_written(server.port, name, points)
                still = [] if written else self._ask(server.port)
                require_same_refused(refused, refused_ones(server.port))
        else:
            still = []
        require_segments(data, before, harm)
        if refused:
            harm.undo(data, source)
            with served(self._starter, data) as server:
                if self._ask(server.port):
                    raise Wrong("damage is still named when the files are back")
            return "named"
        if still or (named and written):
            return "named"
        return "repaired" if named or is_replaced(data, before, harm) else "harmless"

    def _ask(self, port: int) -> list[str]:
        """Ask everything, and the well collection meanwhile; return what was answered by a name."""
        with ThreadPoolExecutor(1) as pool:
            done: list[bool] = []
            well = pool.submit(watch, port, self._stage, done)
            named = []
            try:
                with Client(port, "") as client:
                    for question in self._truth.questions:
                        status, reply, seconds = ask(client, question)
                        if seconds > LONGEST:
                            raise Wrong(f"{question.name} took {seconds:.1f} s")
                        if judge(question, status, reply, self._truth) == "named":
                            named.append(question.name)
            finally:
                done.append(True)
            well.result()
        return named


def watch(port: int, stage: Stage, done: Sequence[bool]) -> None:
    """Ask the well collection until the others have been asked. Raises Wrong."""
    ids = stage.ids[WELL]
    count, page = Question("well: count", WELL, "POST", "/points/count", {}), {"ids": ids[:20]}
    retrieve = Question("well: retrieve", WELL, "POST", "/points", page)
    query = {"query": [1.0] * 8, "limit": 5, "params": {"exact": True}}
    search = Question("well: search", WELL, "POST", "/points/query", query)
    with Client(port, "") as client:
        client.connection.timeout = MOST
        while True:
            last = bool(done)
            for question in (count, retrieve, search):
                status, reply, seconds = ask(client, question)
                if status != 200 or seconds > MOST:
                    raise Wrong(f"{question.name}: {status} after {seconds:.1f} s: {reply}")
            if last:
                return
            time.sleep(0.02)


def refused_ones(port: int) -> dict[str, str]:
    """Return the damaged collections that are not opened, and why."""
    refused = {}
    with Client(port, "") as client:
        for name in HURT:
            question = Question(f"{name}: count", name, "POST", "/points/count", {})
            status, reply, _ = ask(client, question)
            if status != 200:
                refused[name] = text_of(reply)
    return refused


def require_same_refused(before: dict[str, str], after: dict[str, str]) -> None:
    if before.keys() != after.keys():
        raise Wrong(f"refused were {sorted(before)}, and at the next start {sorted(after)}")


def write(port: int) -> dict[str, dict[Any, Any]]:
    """Write to both collections; return what each then holds of the ids, None for nothing.

    A write that is refused has to name damage.
    """
    written: dict[str, dict[Any, Any]] = {}
    with Client(port, "") as client:
        for name in HURT:
            point = wide_point if name == WIDE else plain_point
            fresh, again, gone, edited = (point(n, 7) for n in (9_000, 10, 11, 12))
            held = written[name] = {}
            points = {"points": [fresh, again]}
            if change(client, name, "PUT", "/points?wait=true", points):
                held.update({one["id"]: one["payload"] for one in (fresh, again)})
            body: dict[str, Any] = {"points": [gone["id"]]}
            if change(client, name, "POST", "/points/delete?wait=true", body):
                held[gone["id"]] = None
            body = {"points": [edited["id"]], "payload": {"over": 1}}
            if change(client, name, "PUT", "/points/payload?wait=true", body):
                held[edited["id"]] = {"over": 1}
    for name, points_held in written.items():
        require_written(port, name, points_held)
    return written


def change(client: Client, name: str, method: str, path: str, body: Any) -> bool:
    """Make a write; tell whether it was made."""
    status, reply, _ = ask(client, Question(f"{name}: {method} {path}", name, method, path, body))
    if status != 200 and not names_damage(status, reply):
        raise Wrong(f"{name}: {method} {path} is {status} without damage: {text_of(reply)[:600]}")
    return status == 200


def require_written(port: int, name: str, held: dict[Any, Any]) -> None:
    """Require what was answered to writes. Raises Wrong."""
    body = {"ids": list(held), "with_payload": True}
    question = Question(f"{name}: what was written", name, "POST", "/points", body)
    with Client(port, "") as client:
        status, reply, _ = ask(client, question)
    if status != 200:
        if not names_damage(status, reply):
            raise Wrong(f"{question.name} is {status} without damage: {text_of(reply)[:600]}")
        return
    found = {one["id"]: one["payload"] for one in reply["result"]}
    expected = {one: payload for one, payload in held.items() if payload is not None}
    if found != expected and not names_damage(status, reply):
        raise Wrong(f"{question.name}: found {text_of(found)}, expected {text_of(expected)}")


def digests(data: Path) -> dict[Path, str]:
    """Return a digest of every file, by its path in the directory."""
    return {
        path.relative_to(data): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in data.rglob("*")
        if path.is_file()
    }


def require_nothing_gone(data: Path, source: Path, refused: dict[str, str], harm: Harm) -> None:
    """Require every whole file of a refused collection to be there as it was, perhaps elsewhere.

    A log may have grown: what was sealed before a kill is deleted from it when it is opened.
    """
    after = set(digests(data).values())
    for path, digest in digests(source).items():
        own = len(path.parts) > 2 and path.parts[1] in refused
        if not own or path in harm.files or path.name in SHARED or digest in after:
            continue
        if path.name.endswith("-wal") and (data / path).exists():
            was = (source / path).read_bytes()
            if (data / path).read_bytes()[: len(was)] == was:
                continue
        raise Wrong(f"{path} of a refused collection is gone, or other than it was")


def require_segments(data: Path, before: dict[Path, str], harm: Harm) -> None:
    """Require the segments that were not damaged to be there. Raises Wrong."""
    after = set(digests(data).values())
    harmed = {file.parent for file in harm.files}
    for path, digest in before.items():
        if "segments" in path.parts and path.parent not in harmed and digest not in after:
            raise Wrong(f"{path} was whole and is gone")


def is_replaced(data: Path, before: dict[Path, str], harm: Harm) -> bool:
    """Tell whether damaged files of folders have been written anew, under other names."""
    folders = [
        file for file in harm.files if file.parent.parent.name in ("segments", "fields", "adapters")
    ]
    return bool(folders) and any(not (data / file).exists() for file in folders)
