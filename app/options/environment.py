"""The environment: the variables that are settings, and those that were meant to be.

Kubernetes gives every container the addresses of the services beside it, and Docker's links did the
same. Of a service called ``palimpsest`` those are ``PALIMPSEST_PORT=tcp://10.0.0.1:6333`` and more
of that kind, which are nobody's settings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from palimpsest.app.options.option import (
    PREFIX,
    forgives_emptiness,
    options_of,
    read_text,
    variable_of,
)

# Read by the engine, the commands, the Makefile and the tests.
OTHERS = frozenset(
    PREFIX + name
    for name in ("SIMD", "EVAL_DATA", "CLIENTS", "DIFFERENTIAL")
    # of the commands that speak to a server
    + ("URL", "CA", "SOURCE_API_KEY", "SOURCE_API_KEY_FILE")
    + ("KILLS", "KILL_SEED", "VERSION_KILLS", "FLIPS")
    + ("DAMAGES", "LOG_DAMAGES", "DAMAGE_SEED", "DAMAGE_TRIALS")
)
SERVICE = "PALIMPSEST(_[A-Z0-9_]+)?"  # one called palimpsest, or palimpsest-something
INJECTED = re.compile(
    f"{SERVICE}_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|ENV_.+"
    r"|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PROTO|PORT|START|END|PORT_START|PORT_END))?)"
)
LINKED = re.compile(f"{SERVICE}_NAME")  # its value is a path then
ADDRESS = re.compile(r"(tcp|udp|sctp)://")


class Environment(PydanticBaseSettingsSource):
    """Reads ``PALIMPSEST_<FIELD>``, in capitals alone, for pydantic."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return a field's value, None when it is not set."""
        text = os.environ.get(variable_of(field_name))
        if text is None or (field_name.endswith("port") and ADDRESS.match(text)):
            return None, field_name, False
        if not text.strip() and forgives_emptiness(field):
            return None, field_name, False
        return read_text(field, text), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values of all fields that are set."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def refuse_empty(value: Any) -> Any:
    """Return a value as it is. Raises ValueError when it is empty text: a wish of nothing."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and not text.strip():
        raise ValueError("is empty: give it a value, or leave it out")
    return value


def misspelt(settings: type[BaseSettings], environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with each variable that looks like a setting and is none."""
    known = [*(option.variable for option in options_of(settings)), *sorted(OTHERS)]
    return [
        _unknown(name, known)
        for name, value in sorted(environment.items())
        if name.upper().startswith(PREFIX) and name not in known and not is_injected(name, value)
    ]


def is_injected(name: str, value: str) -> bool:
    """Tell whether Kubernetes or Docker set a variable, to tell of a service of that name."""
    if INJECTED.fullmatch(name) or ADDRESS.match(value):
        return True
    return LINKED.fullmatch(name) is not None and value.startswith("/")


def _unknown(name: str, known: list[str]) -> str:
    if name.upper() in known:
        return f"{name} is no setting: names are in capitals, {name.upper()}"
    endings = [each.removeprefix(PREFIX) for each in known]
    near = get_close_matches(name.upper().removeprefix(PREFIX), endings, n=1)
    if near:
        return f"{name} is no setting: did you mean {PREFIX}{near[0]}?"
    return f"{name} is no setting: `palimpsest serve --help` lists them; unset it"
