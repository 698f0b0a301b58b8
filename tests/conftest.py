"""Fixtures shared by all tests. Every random number comes from a fixed seed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from ssl import SSLContext
from typing import Any

import numpy as np
import pytest
from httpx._transports import default

from palimpsest.index import Collection, CollectionConfig, Database
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import create_store
from palimpsest.index.types import Vectors
from tests import evaluation
from tests.oracle import normalise


def pytest_configure() -> None:
    """Hear an interrupt, as do the servers of tests, where a shell runs the tests beside itself.

    Shells start such processes with SIGINT ignored, which children inherit.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _share_certificates()


def _share_certificates() -> None:
    """Let plain HTTP clients share a TLS context: each would read all certificates, for 20 ms."""
    create, shared = default.create_ssl_context, cache(default.create_ssl_context)

    def create_or_share(verify: Any = True, cert: Any = None, trust_env: bool = True) -> SSLContext:
        if verify is True and cert is None:
            return shared(trust_env=trust_env)
        return create(verify=verify, cert=cert, trust_env=trust_env)

    default.create_ssl_context = create_or_share


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what this run left out."""
    if evaluation.absent:
        terminalreporter.write_line(
            f"Left out: real vectors and texts. {evaluation.FOLDER} (PALIMPSEST_EVAL_DATA names "
            f"another folder) lacks {', '.join(sorted(evaluation.absent))}; the tests that read "
            "them ran on made-up ones.",
            yellow=True,
        )
    skipped = len(terminalreporter.stats.get("skipped", ()))
    if skipped:
        terminalreporter.write_line(
            f"Left out: {skipped} skipped tests, each named above with its reason.", yellow=True
        )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_240_515)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(tmp_path / "database", threads=2) as database:
        yield database


OpenCollection = Callable[[CollectionConfig], Collection]


def open_collection(folder: Path, config: CollectionConfig | None = None) -> Collection:
    """Open a collection without background threads, creating it when a config is given."""
    if config is not None:
        (folder / "segments").mkdir(parents=True)
        create_store(folder / "store.sqlite3", config.to_json())
        Local(folder).sync()
    return Collection.open("test", folder, threads=2, changed=lambda: None)


@pytest.fixture
def collection_of(tmp_path: Path) -> Iterator[OpenCollection]:
    """Return a function that creates a collection, closed at the end of the test."""
    opened: list[Collection] = []

    def create(config: CollectionConfig) -> Collection:
        opened.append(open_collection(tmp_path / f"collection{len(opened)}", config))
        return opened[-1]

    yield create
    for collection in opened:
        collection.close()


@dataclass(frozen=True)
class Corpus:
    """Vectors to store and queries to ask; rows of length one."""

    base: Vectors
    queries: Vectors


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """12,000 text embeddings of 384 dimensions and 200 queries."""
    found = evaluation.find("text/v2_base_f16.npy", "text/v2_query_f16.npy")
    if found is not None:
        base, queries = found
        return Corpus(
            normalise(np.load(base, mmap_mode="r")[:12_000].astype(np.float32)),
            normalise(np.load(queries)[:200].astype(np.float32)),
        )
    return _clustered(12_000, 200, 384)


def _clustered(n: int, queries: int, size: int) -> Corpus:
    """Rows around 300 centres in 32 dimensions, with noise: neighbours that mean something."""
    rng = np.random.default_rng(7)
    axes = rng.standard_normal((32, size)) / np.sqrt(32)
    centres = rng.standard_normal((300, 32))
    rows = centres[rng.integers(300, size=n + queries)] + 0.7 * rng.standard_normal(
        (n + queries, 32)
    )
    vectors = rows @ axes + 0.05 * rng.standard_normal((n + queries, size))
    unit = normalise(vectors.astype(np.float32))
    return Corpus(unit[:n], unit[n:])
