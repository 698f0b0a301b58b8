"""Payload paths as text and as steps.

A path is keys joined by dots; any key may be followed by brackets: ``[]`` stands for every element
of an array, ``[0]`` for one. A key of letters, digits, ``_``, ``-`` and anything that is not ASCII
is written as it is, any other in double quotes: ``a.b``, ``list[].x``, ``list[0]``, ``"a.b"[].c``.

Qdrant wants quotes around some of what is not ASCII: signs, and marks that no letter owns. Vowels
of many scripts are such marks to Python, so all of it may do without.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import EACH, Path, Step

MAX_STEPS = 128  # no payload is deeper in practice; walks take time for each
MAX_INDEX = 2**64 - 1
_SHOWN = 80  # characters of a wrong path that its refusal repeats; longer ones are not remembered

_KEY = r"[A-Za-z0-9_\u0080-\U0010ffff-]+"
_PLAIN = re.compile(_KEY)
_PART = re.compile(rf'(?:"(?P<quoted>[^"]*)"|(?P<key>{_KEY}))(?P<brackets>(?:\[[0-9]*\])*)')
_BRACKET = re.compile(r"\[([0-9]*)\]")


def parse_path(text: str) -> Path:
    """Return the steps of a path.

    Raises:
        InvalidInput: ``text`` is not a path, or it has more than ``MAX_STEPS`` steps.
    """
    return _remembered(text) if len(text) <= _SHOWN else _parse(text)


def format_path(path: Path) -> str:
    """Return the text that ``parse_path`` reads as ``path``."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, str):
            parts.append("." if parts else "")
            parts.append(step if _PLAIN.fullmatch(step) else f'"{step}"')
        else:
            parts.append("[]" if step is EACH else f"[{step}]")
    return "".join(parts)


@lru_cache(maxsize=1024)
def _remembered(text: str) -> Path:
    return _parse(text)


def _parse(text: str) -> Path:
    steps: list[Step] = []
    place = 0
    while (part := _PART.match(text, place)) and len(steps) <= MAX_STEPS:
        quoted = part["quoted"]
        steps.append(part["key"] if quoted is None else quoted)
        # Not all of them: a text of a million brackets is refused by its first hundred.
        brackets = islice(_BRACKET.finditer(part["brackets"]), MAX_STEPS)
        steps.extend(_step(each[1], text) for each in brackets)
        place = part.end()
        if place == len(text) and len(steps) <= MAX_STEPS:
            return tuple(steps)
        if text[place : place + 1] != ".":
            break
        place += 1
    if len(steps) > MAX_STEPS:
        raise InvalidInput(
            f"Invalid path {text[:_SHOWN]!r}...: it has more than {MAX_STEPS} steps; "
            "store what it points to closer to the top of the payload"
        )
    raise _invalid(text)


def _step(inside: str, text: str) -> Step:
    if not inside:
        return EACH
    # twenty digits hold every index; `int` refuses to read thousands of them
    if len(inside.lstrip("0")) > 20 or (index := int(inside)) > MAX_INDEX:
        raise _invalid(text)
    return index


def _invalid(text: str) -> InvalidInput:
    return InvalidInput(
        f"Invalid path {text[:_SHOWN]!r}: expected keys joined by dots, such as a.b, list[].x "
        'or list[0], with double quotes around a key that holds other characters: "a.b".c'
    )
