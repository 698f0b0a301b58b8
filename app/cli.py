"""The ``palimpsest`` command: a server, what checks its files, and what speaks to it over HTTP."""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from palimpsest.app import doctor, restore
from palimpsest.app.commands.arguments import COMMANDS, add_commands
from palimpsest.app.demo import DEFAULT_PASSAGES, MIN_PASSAGES, DemoError, Options, run
from palimpsest.app.edge import Edge
from palimpsest.app.health.serving import Server
from palimpsest.app.main import create_app
from palimpsest.app.options.flags import add_flags, environment_alone, secret_on
from palimpsest.app.options.reading import WrongSettings, read_settings
from palimpsest.app.protocol import AcceptingTls, Listening
from palimpsest.app.release import RELEASE
from palimpsest.app.settings import Misconfigured, Settings
from palimpsest.app.tracing.logs import configure

BEFORE_COMMAND = ("-h", "--help", "--version")  # the options that stand there
WRONG_USAGE = 2  # status, as argparse has it
INTERRUPTED = 128 + signal.SIGINT  # status, as shells have it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    kept = secret_on(words, Settings)
    if kept is not None:  # before argparse, which would repeat its value
        parser.error(f"{kept.flag} is no flag: set {kept.variable} in the environment")
    if words and words[0].startswith("-") and words[0] not in BEFORE_COMMAND:
        parser.error(f"unrecognized arguments: {words[0].partition('=')[0]}")  # as below
    known, others = parser.parse_known_args(words)
    if others:  # without values: a flag that is misspelt may be a secret's
        names = [word.partition("=")[0] for word in others if word.startswith("-")]
        parser.error(f"unrecognized arguments: {' '.join(names or others)}")
    given = vars(known)
    command = given.pop("command")
    if command == "demo":
        return demonstrate(Options(**given))
    if command == "doctor":
        return doctor.run(given)
    if command == "restore":
        return restore.run(given)
    if command in COMMANDS:
        # Only now: a server needs no client of another.
        running = importlib.import_module("palimpsest.app.commands.running")
        status: int = running.run_command(command, given)
        return status
    try:
        flags = {name: value for name, value in given.items() if value is not None}
        settings = read_settings(flags, os.environ)
    except WrongSettings as error:
        for problem in error.problems:
            print(f"palimpsest: {problem}", file=sys.stderr)
        return WRONG_USAGE
    return serve(settings)


def serve(settings: Settings) -> int:
    """Serve until a signal; running requests finish, the database closes."""
    raise_descriptor_limit()
    configure(settings.log_level, settings.log_format)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until ``app.reloading`` hears it
    try:
        app = create_app(settings, opens=False)
    except Misconfigured as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 2
    app.context.connections.fit_descriptors()
    server = Server(server_config(app, settings), app.context)
    # Until the server hears them, and after: a requested stop is a success.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        server.run()
    except SystemExit as left:  # uvicorn's way out when it cannot listen, or ours
        return 1 if left.code else 0
    return 1 if server.failed else 0


def raise_descriptor_limit() -> None:
    """Let this process open as many files as its hard limit allows: segments and clients need them.

    The soft limit is often 1,024, for programs that use ``select``, which this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # systems may refuse even what they call allowed
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def demonstrate(options: Options) -> int:
    """Tell the story of an upgrade, printing it; the server it starts ends with it."""
    try:
        run(replace(options, block=_block()), partial(print, flush=True))
    except DemoError as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def server_config(app: Edge, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration: no access log, no needless headers, no proxy layer."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Listening if app.context.connections.certificates is None else AcceptingTls,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )


def _leave(*_: Any) -> None:
    raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="palimpsest", description="A vector search server.")
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser(
        "serve",
        help="serve a data directory",
        description="Every option is also PALIMPSEST_<NAME>, as docs/settings.md lists them.",
        epilog=f"By the environment alone: {environment_alone(Settings)}.",
        allow_abbrev=False,
    )
    add_flags(serving, Settings)
    for each in (parser, serving):
        each.add_argument(
            "--version",
            action="version",
            version=f"palimpsest {RELEASE}",
            help="show the version of this release and exit",
        )
    doctor.add_flags(
        commands.add_parser("doctor", help="check a data directory", allow_abbrev=False)
    )
    restore.add_flags(
        commands.add_parser("restore", help="check or restore a snapshot", allow_abbrev=False)
    )
    add_commands(commands)
    _add_demo(commands.add_parser("demo", help="watch a collection change its embedding model"))
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Index docstrings of Python's standard library with one small embedding model, upgrade "
        "the collection to another, and show what that does to its answers. Needs no network."
    )
    parser.add_argument("--port", type=int, help="port of 127.0.0.1 to listen on (a free one)")
    parser.add_argument("--data", type=Path, help="data directory (a temporary one)")
    parser.add_argument(
        "--passages", type=_passages, default=DEFAULT_PASSAGES, help="docstrings at most (6000)"
    )
    parser.add_argument(
        "--exit",
        dest="leave",
        action="store_true",
        help="end after the story, do not go on serving",
    )


def _block() -> str:
    """Return what bars are drawn with: not every terminal has more than ASCII."""
    try:
        "█".encode(sys.stdout.encoding)
    except (LookupError, UnicodeEncodeError):
        return "#"
    return "█"


def _passages(text: str) -> int:
    number = int(text)
    if number < MIN_PASSAGES:
        raise argparse.ArgumentTypeError(f"expected at least {MIN_PASSAGES}, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
