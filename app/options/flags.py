"""The options of the command line, one for each setting that is no secret."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_origin

from pydantic_settings import BaseSettings

from palimpsest.app.options.option import LISTS, Option, options_of


def add_flags(parser: argparse.ArgumentParser, settings: type[BaseSettings]) -> None:
    """Add the flag of every setting that takes one; what is not given becomes None."""
    for option in options_of(settings):
        if option.takes_flag:
            text = f"{option.meaning} ({option.default})".replace("%", "%%")
            shape: dict[str, Any] = {"metavar": _metavar(option)}
            if option.kind is bool:
                shape = {"action": argparse.BooleanOptionalAction}
            parser.add_argument(option.flag, dest=option.field, default=None, help=text, **shape)


def secret_on(arguments: Sequence[str], settings: type[BaseSettings]) -> Option | None:
    """Return the secret that was given as a flag.

    The command line of a process can be read by everybody on the machine.
    """
    given = {argument.partition("=")[0] for argument in arguments}
    secrets = (option for option in options_of(settings) if option.is_secret)
    return next((option for option in secrets if option.flag in given), None)


def environment_alone(settings: type[BaseSettings]) -> str:
    """Return the names of the variables that have no flag."""
    return ", ".join(each.variable for each in options_of(settings) if not each.takes_flag)


def _metavar(option: Option) -> str:
    if option.choices:
        return "|".join(option.choices)
    if option.kind in (int, float):
        return "NUMBER"
    if option.kind is Path:
        return "PATH"
    return "A,B" if (get_origin(option.kind) or option.kind) in LISTS else "TEXT"
