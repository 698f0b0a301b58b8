"""Which parts of a point a reply holds: ``with_payload`` and ``with_vector``.

Keys of a payload selector are JSON paths: ``a.b``, ``list[].x``, quotes around a key that holds a
dot. They are merged into one tree per request. As in Qdrant ``[]`` is the only bracket that applies
to the elements of a list, ``a[0]`` selects none.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from palimpsest.app.errors import format_error
from palimpsest.index import EACH, parse_path

Tree: TypeAlias = dict[Any, Any]  # by the next step of a path; True: all below

# Decimal keeps a number's digits as they were written.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class FieldSelection(msgspec.Struct, forbid_unknown_fields=True):
    """Keep the named fields, or all but the named ones."""

    include: list[str] | None = None
    exclude: list[str] | None = None


WithPayload: TypeAlias = bool | list[str] | FieldSelection | None
WithVector: TypeAlias = bool | list[str] | None


class PayloadSelector:
    """Cuts payload texts; ``wanted`` is False when no payload is asked for at all."""

    __slots__ = ("_include", "_tree", "wanted")

    def __init__(self, asked: WithPayload, default: bool) -> None:
        self._tree: Tree | None = None
        self._include = True
        self.wanted = default
        if isinstance(asked, bool):
            self.wanted = asked
        elif asked is not None:
            self.wanted = True
            self._include, keys = _keys(asked)
            self._tree = _tree(keys)

    def __call__(self, payload: bytes | None) -> msgspec.Raw:
        """Return the selected part of a payload's JSON text, ``{}`` for a point without one."""
        if payload is None:
            return msgspec.Raw(b"{}")
        if self._tree is None:
            return msgspec.Raw(payload)
        cut = include if self._include else exclude
        return msgspec.Raw(_ENCODER.encode(cut(_DECODER.decode(payload), self._tree)))


def select_vectors(asked: WithVector) -> bool | tuple[str, ...]:
    """Return ``with_vector`` in the engine's form."""
    if isinstance(asked, list):
        return tuple(asked)
    return bool(asked)


def include(value: Any, tree: Tree) -> Any:
    """Return ``value`` reduced to what the tree names."""
    if isinstance(value, dict):
        return {
            key: item if tree[key] is True else include(item, tree[key])
            for key, item in value.items()
            if key in tree
        }
    if isinstance(value, list):
        below = tree.get(EACH)
        if below is None:
            return []
        return value if below is True else [include(item, below) for item in value]
    return value


def exclude(value: Any, tree: Tree) -> Any:
    """Return ``value`` without what the tree names."""
    if isinstance(value, dict):
        return {
            key: exclude(item, tree[key]) if key in tree else item
            for key, item in value.items()
            if tree.get(key) is not True
        }
    if isinstance(value, list):
        below = tree.get(EACH)
        if below is None:
            return value
        return [] if below is True else [exclude(item, below) for item in value]
    return value


def _keys(asked: list[str] | FieldSelection) -> tuple[bool, list[str]]:
    if isinstance(asked, list):
        return True, asked
    if (asked.include is None) == (asked.exclude is None):
        raise format_error("with_payload: expected either `include` or `exclude`")
    return (True, asked.include) if asked.include is not None else (False, asked.exclude or [])


def _tree(keys: Sequence[str]) -> Tree:
    tree: Tree = {}
    for key in keys:
        *parents, last = parse_path(key)
        node: Any = tree
        for part in parents:
            node = node.setdefault(part, {})
            if node is True:  # a shorter path selects everything below already
                break
        else:
            node[last] = True
    return tree
