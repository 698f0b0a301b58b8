"""One setting as an operator meets it, and how its text is read."""

from __future__ import annotations

import json
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import JsonValue, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

PREFIX = "PALIMPSEST_"
NO_FLAG: dict[str, JsonValue] = {
    "flag": False
}  # ``json_schema_extra`` of a field that only the environment sets
LISTS = (list, tuple, set, frozenset)
FORGIVING = (bool, int, float)  # an empty text of these, or of a choice, is none


class Option(NamedTuple):
    """One setting."""

    field: str
    kind: Any  # its type, without None
    default: str
    meaning: str
    is_secret: bool
    takes_flag: bool

    @property
    def flag(self) -> str:
        """Return the name of its flag, whether or not it takes one."""
        return "--" + self.field.replace("_", "-")

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return variable_of(self.field)

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the texts it may be, none when it is no choice."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()


def variable_of(field: str) -> str:
    """Return the name of a field's environment variable."""
    return PREFIX + field.upper()


def options_of(settings: type[BaseSettings]) -> list[Option]:
    """Return every setting, in the order of the fields."""
    return [
        Option(
            name,
            kind_of(field),
            _shown(field.get_default(call_default_factory=True)),
            field.description or "",
            is_secret(field),
            not is_secret(field) and field.json_schema_extra != NO_FLAG,
        )
        for name, field in settings.model_fields.items()
    ]


def kind_of(field: FieldInfo) -> Any:
    """Return the type of a field, without None."""
    kind = field.annotation
    members = [each for each in get_args(kind) if each is not NoneType]
    return members[0] if NoneType in get_args(kind) and len(members) == 1 else kind


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a field's value must not be shown."""
    return _holds_secret(field.annotation)


def read_text(field: FieldInfo, text: str) -> Any:
    """Return what is to be validated: lists are split at commas, unless they come as JSON."""
    kind = kind_of(field)
    if (get_origin(kind) or kind) not in LISTS:
        return text
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text  # refused as no list
    return [part.strip() for part in text.split(",")]


def forgives_emptiness(field: FieldInfo) -> bool:
    """Tell whether an empty text means that it is not set.

    It does for numbers, switches and choices, which compose files pass on as ``${NAME:-}``. An
    empty key, address or path would be taken for a wish, and a dangerous one.
    """
    kind = kind_of(field)
    return kind in FORGIVING or get_origin(kind) is Literal


def _holds_secret(kind: Any) -> bool:
    return kind is SecretStr or any(map(_holds_secret, get_args(kind)))


def _shown(default: Any) -> str:
    if default is None:
        return "unset"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, LISTS):
        return ",".join(map(str, default)) or "none"
    if isinstance(default, Path) and not default.is_absolute():
        return f"./{default}"
    return str(default)
