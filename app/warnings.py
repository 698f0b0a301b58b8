"""What a reply says beside its result: what was left out, and what embedding texts took.

A reply that warns of nothing has no such field. Texts are for people; kinds are what is counted.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["unknown_field", "setting", "out_of_reach", "damage", "recall"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_TEXTS = 32  # of one reply; a large body may hold a mistake per point


class Warnings:
    """The warnings of one request, each text once, in the order they were found.

    Filled by whoever finds something, in any thread, before the reply is written.
    """

    __slots__ = ("_found", "used")

    def __init__(self) -> None:
        self._found: dict[str, Kind] | None = None  # made for few requests, asked for by all
        self.used: dict[str, int] | None = None  # tokens, by model; None where nothing was embedded

    def add(self, kind: Kind, text: str) -> None:
        """Warn of something."""
        if self._found is None:
            self._found = {}
        self._found.setdefault(text, kind)

    def use(self, model: str, tokens: int) -> None:
        """Say that a model embedded some more tokens of texts."""
        if self.used is None:
            self.used = {}
        self.used[model] = self.used.get(model, 0) + tokens

    def __bool__(self) -> bool:
        """Tell whether there is anything to say."""
        return self._found is not None or self.used is not None

    def texts(self) -> list[str]:
        """Return what the reply says; of very many only how many more there are."""
        found = list(self._found or ())
        if len(found) <= MAX_TEXTS:
            return found
        return [*found[:MAX_TEXTS], f"... and {len(found) - MAX_TEXTS} more"]

    def kinds(self) -> list[Kind]:
        """Return the kind of each text."""
        return list((self._found or {}).values())
