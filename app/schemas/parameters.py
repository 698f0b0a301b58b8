"""Query-string parameters that the point routes share: wait, timeout, ordering, consistency."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec

from palimpsest.app.errors import out_of_range, parameter_error

ORDERINGS = ("weak", "medium", "strong")
CONSISTENCIES = ("majority", "quorum", "all")
SHARED = ("wait", "timeout", "ordering", "consistency")


class Parameters(msgspec.Struct, frozen=True):
    """What a query string asks; ``timeout`` in seconds, None for no limit.

    ``ordering`` and ``consistency`` are checked and have no effect on a single node.
    """

    wait: bool = False
    timeout: int | None = None


@lru_cache(maxsize=256)
def parse_parameters(query_string: bytes) -> Parameters:
    """Read a query string; parameters of other names are ignored. Raises Refusal."""
    given = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))
    ordering = given.get("ordering")
    if ordering is not None and ordering not in ORDERINGS:
        raise parameter_error(f"ordering: expected one of {', '.join(ORDERINGS)}, got {ordering!r}")
    consistency = given.get("consistency")
    if consistency is not None and consistency not in CONSISTENCIES:
        if not _is_number(consistency):
            raise parameter_error(
                "consistency: expected an integer or one of "
                f"{', '.join(CONSISTENCIES)}, got {consistency!r}"
            )
    return Parameters(wait=_wait(given.get("wait")), timeout=_timeout(given.get("timeout")))


def check_own_parameters(query_string: bytes) -> None:
    """Refuse what a query string of our own surface would ask in vain.

    Qdrant's clients send what they like to Qdrant's endpoints; here a parameter that is not read
    is a mistake, `vector` beside a body for instance.

    Raises:
        Refusal: a parameter is unknown or given twice, or cannot be read.
    """
    names = [name for name, _ in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)]
    for name in names:
        if name not in SHARED:
            raise parameter_error(
                f"unknown field `{name}`: expected {', '.join(SHARED)}; the rest is in the body"
            )
    refuse_repeated(names)
    parse_parameters(query_string)


def refuse_repeated(names: Sequence[str]) -> None:
    """Raise Refusal for a parameter that is given twice."""
    for name in names:
        if names.count(name) > 1:
            raise parameter_error(f"{name}: given {names.count(name)} times, expected once")


def _wait(text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise parameter_error(f"wait: expected true or false, got {text!r}")
    return text == "true"


def _timeout(text: str | None) -> int | None:
    if text is None:
        return None
    if not _is_number(text):
        raise parameter_error(f"timeout: expected whole seconds, got {text!r}")
    seconds = int(text)
    if seconds < 1:
        raise out_of_range("timeout", "value 0 invalid, must be 1 or larger", "query parameters")
    return seconds


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
