"""Which embedders there are: a TOML file of whoever runs the server, read once, at the start.

No request names an address or a key: clients could else have the server call what only it can
reach. A table ``[embedders.NAME]`` with ``url`` is a model that runs elsewhere, one with ``folder``
a model that runs here. A key stands in a variable of the environment, the file has the variable's
name.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from palimpsest.app.settings import Misconfigured
from palimpsest.index import MAX_SIZE

VARIABLE = "PALIMPSEST_EMBEDDERS"
BM25 = "qdrant/bm25"  # in any case: every server has it

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all embedders have: prefixes stand before a text as it is given to the model."""

    size: Annotated[int, msgspec.Meta(ge=1, le=MAX_SIZE)]
    query_prefix: str = ""
    passage_prefix: str = ""
    batch: Annotated[int, msgspec.Meta(ge=1, le=2_048)] = 32  # texts of one call


class Remote(Declared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model behind ``url``/embeddings, which speaks as OpenAI's does."""

    url: str
    model: Name
    key_env: Name | None = None
    encoding: Literal["float", "base64"] = "float"
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=256)] = 4  # calls at once
    timeout: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 30.0  # seconds of one call
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    requests_per_minute: Count = 0  # 0: no limit
    texts_per_day: Count = 0
    ca: Path | None = None  # authorities (PEM) instead of the system's


class Local(Declared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder with ``model.onnx`` and ``tokenizer.json``."""

    folder: Path
    pooling: Literal["mean", "cls"] = "mean"
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=131_072)] = 512
    threads: Annotated[int, msgspec.Meta(ge=0, le=1_024)] = 0  # 0: as many as cores


AnyDeclared: TypeAlias = Remote | Local


def read_declared(path: Path) -> dict[str, AnyDeclared]:
    """Return what a file declares, by name. Raises Misconfigured: it says what, and where."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, f"it cannot be read: {error}") from None
    declared = tables.pop("embedders", {})
    if tables or not isinstance(declared, dict):
        found = ", ".join(map(repr, tables)) or "`embedders` that is no table"
        raise _wrong(path, f"expected tables [embedders.NAME] and nothing else, found {found}")
    return {name: _read_one(path, name, table) for name, table in declared.items()}


def read_key(name: str, remote: Remote, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the key of a model, None where it takes none.

    Raises:
        Misconfigured: the variable is not set, or holds what no header can.
    """
    if remote.key_env is None:
        return None
    key = environment.get(remote.key_env, "").strip()
    # Neither shown here nor anywhere: what is wrong with it is said without it.
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured(
            f"{VARIABLE}: embedder {name!r} takes its key from the variable {remote.key_env}, "
            "which has to be set to one word of ASCII"
        )
    return key


def _read_one(path: Path, name: str, table: Any) -> AnyDeclared:
    where = f"[embedders.{name}]"
    if not name or len(name) > 255 or name.lower() == BM25:
        raise _wrong(path, f"{where}: the name is empty, too long, or that of the server's own")
    if not isinstance(table, dict) or ("url" in table) == ("folder" in table):
        raise _wrong(path, f"{where}: expected a table with either `url` or `folder`")
    kind = Remote if "url" in table else Local
    try:
        declared: AnyDeclared = _CONVERT[kind](table)
    except (msgspec.ValidationError, TypeError) as error:
        raise _wrong(path, f"{where}: {error}") from None
    if isinstance(declared, Remote):
        problem = _problem_of(declared.url)
        if problem:
            raise _wrong(path, f"{where}: `url` {problem}")
    return declared


def _path(to: type, value: Any) -> Any:
    if to is not Path or not isinstance(value, str):
        raise TypeError(f"expected a path, got {value!r:.60}")
    return Path(value)


_CONVERT: dict[type, Callable[[Any], AnyDeclared]] = {
    Remote: lambda table: msgspec.convert(table, Remote, dec_hook=_path),
    Local: lambda table: msgspec.convert(table, Local, dec_hook=_path),
}


def _problem_of(url: str) -> str | None:
    """Return what is wrong with an address, None for nothing; keys in it are not repeated."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"cannot be read: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "has to begin with http:// or https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a name or a key: name the key's variable as `key_env`"
    if parts.query or parts.fragment:
        return "must end with its path, as in https://models.example.org/v1"
    return None


def _wrong(path: Path, text: str) -> Misconfigured:
    return Misconfigured(f"{VARIABLE}: {path}: {text}")
