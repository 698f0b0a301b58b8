"""The ``palimpsest`` command: a server, what checks its files, and what speaks to it over HTTP.

What a command does, and which flags it takes, is loaded when it is the one that is run: the engine
alone takes most of a second, and a server needs no client of another.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from palimpsest.app.options.flags import add_flags, environment_alone, secret_on
from palimpsest.app.release import RELEASE
from palimpsest.app.settings import Settings

BEFORE_COMMAND = ("-h", "--help", "--version")  # the options that stand there
WRONG_USAGE = 2  # status, as argparse has it
INTERRUPTED = 128 + signal.SIGINT  # status, as shells have it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser(words)
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
    return _RUN[given.pop("command")](given)


def serve(given: dict[str, Any]) -> int:
    """Serve until a signal, by the values of flags and the environment."""
    from palimpsest.app.options.reading import WrongSettings, read_settings

    try:
        flags = {name: value for name, value in given.items() if value is not None}
        settings = read_settings(flags, os.environ)
    except WrongSettings as error:
        for problem in error.problems:
            print(f"palimpsest: {problem}", file=sys.stderr)
        return WRONG_USAGE
    from palimpsest.app.server import serve as until_stopped

    return until_stopped(settings)


def demonstrate(given: dict[str, Any]) -> int:
    """Tell the story of an upgrade, printing it; the server it starts ends with it."""
    from palimpsest.app.demo import DemoError, Options, run

    try:
        run(replace(Options(**given), block=_block()), partial(print, flush=True))
    except DemoError as error:
        print(f"palimpsest: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _check_files(given: dict[str, Any]) -> int:
    from palimpsest.app import doctor

    return doctor.run(given)


def _restore(given: dict[str, Any]) -> int:
    from palimpsest.app import restore

    return restore.run(given)


def _over_http(command: str, given: dict[str, Any]) -> int:
    from palimpsest.app.commands.running import run_command

    return run_command(command, given)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands, of which the one that is meant alone has its flags."""
    parser = argparse.ArgumentParser(prog="palimpsest", description="A vector search server.")
    _add_version(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (what, add) in _COMMANDS.items():
        command = commands.add_parser(name, help=what, allow_abbrev=name == "demo")
        if words and words[0] == name:
            add(command)
    return parser


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version",
        action="version",
        version=f"palimpsest {RELEASE}",
        help="show the version of this release and exit",
    )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.description = "Every option is also PALIMPSEST_<NAME>, as docs/settings.md lists them."
    parser.epilog = f"By the environment alone: {environment_alone(Settings)}."
    add_flags(parser, Settings)
    _add_version(parser)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    from palimpsest.app import doctor

    doctor.add_flags(parser)


def _add_restore(parser: argparse.ArgumentParser) -> None:
    from palimpsest.app import restore

    restore.add_flags(parser)


def _add_over_http(command: str, parser: argparse.ArgumentParser) -> None:
    from palimpsest.app.commands.arguments import add_arguments

    add_arguments(command, parser)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    from palimpsest.app.demo import DEFAULT_PASSAGES

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
    from palimpsest.app.demo import MIN_PASSAGES

    number = int(text)
    if number < MIN_PASSAGES:
        raise argparse.ArgumentTypeError(f"expected at least {MIN_PASSAGES}, got {number}")
    return number


_Add = Callable[[argparse.ArgumentParser], None]
_Run = Callable[[dict[str, Any]], int]
_OVER_HTTP = {
    "import": "bring points into a collection",
    "export": "write the points of a collection to a file",
    "collections": "list, show, create and delete",
    "snapshot": "make, fetch and restore snapshots",
}
_COMMANDS: dict[str, tuple[str, _Add]] = {
    "serve": ("serve a data directory", _add_serve),
    "doctor": ("check a data directory", _add_doctor),
    "restore": ("check or restore a snapshot", _add_restore),
    **{
        name: (f"{what}, over HTTP", partial(_add_over_http, name))
        for name, what in _OVER_HTTP.items()
    },
    "demo": ("watch a collection change its embedding model", _add_demo),
}
_RUN: dict[str, _Run] = {
    "serve": serve,
    "doctor": _check_files,
    "restore": _restore,
    **{name: partial(_over_http, name) for name in _OVER_HTTP},
    "demo": demonstrate,
}

if __name__ == "__main__":
    sys.exit(main())
