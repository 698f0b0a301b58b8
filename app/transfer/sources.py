"""Opens a source by what it is called."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from palimpsest.app.transfer.client import Address, Client
from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.files import STDIN
from palimpsest.app.transfer.from_arrays import ArrayReader
from palimpsest.app.transfer.from_hnsw import HnswReader
from palimpsest.app.transfer.from_lines import LinesReader
from palimpsest.app.transfer.from_parquet import ParquetReader
from palimpsest.app.transfer.from_server import ServerReader
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.reader import Reader

_URL = re.compile(r"(https?://[^/]+(?:/.*)?)/collections/([^/?#]+)/?")
KINDS = (
    "FILE.parquet, FILE.jsonl, FILE.jsonl.gz, - (lines of JSON), FILE.npy, hnswlib:FILE, or "
    "http(s)://HOST:PORT/collections/NAME"
)
HNSW = "hnswlib:"


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are to be read.

    Attributes:
        wished: what columns are.
        ids: of ``.npy``, the file of its ids.
        payloads: of ``.npy``, the file of its payloads.
        key: for a source that is a server.
        ca: the authority of its certificate.
    """

    wished: Wished = Wished()
    ids: Path | None = None
    payloads: Path | None = None
    key: str | None = None
    ca: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what decides which points a source has."""
        files = {"ids": self.ids, "payloads": self.payloads}
        named = {name: str(path.absolute()) for name, path in files.items() if path is not None}
        return {**self.wished.to_json(), **named}


def open_source(source: str, reading: Reading) -> Reader:
    """Return a source, open. Raises TransferError and its kinds."""
    url = _URL.fullmatch(source)
    beside = reading.ids or reading.payloads
    if beside and not source.endswith(".npy"):
        raise WrongUse(f"{source}: --ids and --payloads are for .npy alone")
    if url:
        _refuse_columns(source, reading)
        client = Client(Address(url[1], reading.key, reading.ca))
        return ServerReader(client, unquote(url[2]))
    if source.startswith(HNSW):
        return HnswReader(Path(source.removeprefix(HNSW)), _name_of(source, reading))
    if source == STDIN or source.endswith((".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")):
        return LinesReader(source, reading.wished)
    opened = _BY_SUFFIX.get(Path(source).suffix)
    if opened is None:
        raise WrongUse(f"{source}: expected {KINDS}")
    return opened(source, reading)


def absolute(source: str) -> str:
    """Return what a source is called from any folder."""
    if source == STDIN or _URL.fullmatch(source):
        return source
    if source.startswith(HNSW):
        return HNSW + str(Path(source.removeprefix(HNSW)).absolute())
    return str(Path(source).absolute())


def _open_parquet(source: str, reading: Reading) -> Reader:
    return ParquetReader(Path(source), reading.wished)


def _open_array(source: str, reading: Reading) -> Reader:
    name = _name_of(source, reading)
    return ArrayReader(Path(source), reading.ids, reading.payloads, name)


def _name_of(source: str, reading: Reading) -> str:
    """Return the vector name of a source that has one vector and no columns. Raises WrongUse."""
    wished = reading.wished
    if wished.vectors and wished == Wished(vectors=wished.vectors[:1]):
        return wished.vectors[0].removeprefix("=")
    _refuse_columns(source, reading)
    return ""


def _refuse_columns(source: str, reading: Reading) -> None:
    if not reading.wished.is_empty:
        raise WrongUse(f"{source}: has no columns: --id, --vector and --payload are for tables")


_BY_SUFFIX: dict[str, Callable[[str, Reading], Reader]] = {
    ".parquet": _open_parquet,
    ".npy": _open_array,
}
