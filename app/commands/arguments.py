"""What the commands over HTTP take; what they do is loaded only once one is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from palimpsest.app.commands.connection import CA, DEFAULT_URL, KEY, KEY_FILE, URL

STATUS = (
    "Exit status: 0 done, 1 refused or bad input (the text says what has to change), 2 wrong use, "
    "3 the server could not be reached or had no room for long (the same again may succeed)."
)
SOURCES = (
    "FILE.parquet, FILE.jsonl, FILE.jsonl.gz, - (lines of JSON), FILE.npy, hnswlib:FILE (an index "
    "file of hnswlib), or http(s)://HOST:PORT/collections/NAME (a server that speaks Qdrant's REST "
    "dialect)"
)


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    """Add what a command takes."""
    parser.epilog = STATUS
    _ADD[command](parser)


def _add_connection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    group.add_argument("--url", help=f"its address ({URL}, or else {DEFAULT_URL})")
    group.add_argument(
        "--api-key-file",
        type=Path,
        metavar="PATH",
        help=f"file whose first line is the key ({KEY_FILE}; the key itself: {KEY})",
    )
    group.add_argument(
        "--ca",
        type=Path,
        metavar="PATH",
        help=f"authorities (PEM) of an https server's certificate ({CA}, or else the system's)",
    )
    group.add_argument("--json", action="store_true", help="print the outcome as one JSON object")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Bring points into a collection. Killed at any time, the same command goes on where it was."
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=SOURCES)
    parser.add_argument("--collection", "-c", required=True, metavar="NAME", help="where to")
    create = parser.add_argument_group("the collection")
    create.add_argument(
        "--create", action="store_true", help="create it if there is none, of the source's size"
    )
    create.add_argument(
        "--distance", metavar="NAME", help="of one that is created: Cosine, Dot, Euclid, Manhattan"
    )
    columns = parser.add_argument_group("columns of tables (.parquet, and .jsonl with --vector)")
    columns.add_argument("--id", metavar="COLUMN", help="of ids (id if there is one, else counted)")
    columns.add_argument(
        "--vector",
        action="append",
        default=[],
        metavar="COLUMN[=NAME]",
        help="of vectors, and the name of the vector; may be given several times. For .npy and "
        "hnswlib, which have no columns: NAME",
    )
    columns.add_argument(
        "--payload",
        action="append",
        default=[],
        metavar="COLUMNS",
        help="names split by commas, all or none (all)",
    )
    columns.add_argument(
        "--payload-json", metavar="COLUMN", help="of text that is the whole payload as JSON"
    )
    rows = parser.add_argument_group("rows of .npy")
    rows.add_argument("--ids", type=Path, metavar="FILE", help=".npy of ids, or one a line")
    rows.add_argument("--payloads", type=Path, metavar="FILE", help="lines of JSON, one a row")
    parser.add_argument(
        "--first-id", type=_count, default=0, metavar="N", help="where counted ids begin (0)"
    )
    parser.add_argument(
        "--source-api-key-file",
        type=Path,
        metavar="PATH",
        help="key of a source that is a server (PALIMPSEST_SOURCE_API_KEY_FILE; the key itself: "
        "PALIMPSEST_SOURCE_API_KEY)",
    )
    parser.add_argument(
        "--skip-bad",
        type=Path,
        metavar="FILE",
        help="write rows that are no points there and go on; else the first one stops all",
    )
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="where to note how far it is (below ~/.local)"
    )
    parser.add_argument("--restart", action="store_true", help="begin anew")
    parser.add_argument(
        "--connections", type=_positive, default=4, metavar="N", help="requests at once (4)"
    )
    _add_connection(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the points of a collection to a file. Killed at any time, the same command goes on."
    )
    parser.add_argument("collection", metavar="COLLECTION")
    parser.add_argument("file", type=Path, metavar="FILE.parquet|.jsonl|.jsonl.gz|.npy")
    parser.add_argument("--restart", action="store_true", help="begin anew")
    _add_connection(parser)


def _add_collections(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    _action(actions, "list", "names and points of all")
    _action(actions, "info", "what the server tells of one").add_argument("name", metavar="NAME")
    create = _action(actions, "create", "make one")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--size", type=_positive, metavar="N", help="dimensions of its vector")
    create.add_argument("--distance", metavar="NAME", help="Cosine, Dot, Euclid, Manhattan")
    create.add_argument(
        "--config", type=Path, metavar="FILE", help="body of PUT /collections/NAME, instead"
    )
    delete = _action(actions, "delete", "remove one with all its points")
    delete.add_argument("name", metavar="NAME")
    _add_yes(delete)


def _add_snapshots(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    whose = "of a collection, or without one of all"
    for name, what in (("create", "make one"), ("list", "names of those there are")):
        action = _action(actions, name, f"{what}, {whose}")
        action.add_argument("--collection", "-c", metavar="NAME")
    download = _action(actions, "download", f"fetch one, {whose}")
    download.add_argument("--collection", "-c", metavar="NAME")
    download.add_argument("snapshot", metavar="SNAPSHOT")
    download.add_argument("file", type=Path, metavar="FILE")
    upload = _action(actions, "upload", "send a file and have the collection become what it holds")
    upload.add_argument("--collection", "-c", required=True, metavar="NAME")
    upload.add_argument("file", type=Path, metavar="FILE")
    _add_yes(upload)
    restore = _action(actions, "restore", "have a collection become what a snapshot holds")
    restore.add_argument("--collection", "-c", required=True, metavar="NAME")
    restore.add_argument("snapshot", metavar="SNAPSHOT", help="a name, or an address it may fetch")
    restore.add_argument("--checksum", metavar="SHA256", help="that it has to have")
    _add_yes(restore)
    delete = _action(actions, "delete", f"remove one, {whose}")
    delete.add_argument("--collection", "-c", metavar="NAME")
    delete.add_argument("snapshot", metavar="SNAPSHOT")
    _add_yes(delete)


def _action(actions: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=what, epilog=STATUS, allow_abbrev=False
    )
    _add_connection(parser)
    return parser


def _add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="needed: what was there is gone then")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {number}")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


_ADD: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "import": _add_import,
    "export": _add_export,
    "collections": _add_collections,
    "snapshot": _add_snapshots,
}
