"""From the command line and the environment to settings, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from palimpsest.app.options.environment import misspelt
from palimpsest.app.options.option import Option, is_secret, options_of, read_text
from palimpsest.app.settings import Settings

FAILED = "Value error, "  # how pydantic begins the text of a validator's own error
MOST_SHOWN = 80  # characters of a wrong value


class WrongSettings(ValueError):
    """Settings that no server starts with: one text for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_settings(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Return the settings of flags and environment; flags win.

    Args:
        given: by field, what flags say: text, or a truth value.
        environment: looked through for names that are no setting's.

    Raises:
        WrongSettings: a value cannot be used, or a variable is no setting.
    """
    problems = misspelt(Settings, environment)
    fields = Settings.model_fields
    flags = {
        name: read_text(fields[name], value) if isinstance(value, str) else value
        for name, value in given.items()
    }
    try:
        settings = Settings(**flags)
    except ValidationError as error:
        options = {option.field: option for option in options_of(Settings)}
        wrong = error.errors(include_url=False)
        raise WrongSettings([*problems, *(_told(each, options, given) for each in wrong)]) from None
    if problems:
        raise WrongSettings(problems)
    return settings


def _told(wrong: ErrorDetails, options: Mapping[str, Option], given: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, where it came from, and what it was unless a secret."""
    text = wrong["msg"].removeprefix(FAILED)
    option = options.get(str(next(iter(wrong["loc"]), "")))
    if option is None:  # of several settings at once
        return text
    where = option.flag if option.field in given else option.variable
    value = wrong["input"]
    empty = isinstance(value, str) and not value.strip()
    if empty or is_secret(Settings.model_fields[option.field]):
        return f"{where}: {text}"
    return f"{where}: {text}, got {str(value)[:MOST_SHOWN]!r}"
