"""The Dockerfile as values: stages of instructions, in their order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Instruction(NamedTuple):
    """One step: its name in capitals, and what follows it, on one line."""

    name: str
    arguments: str


class Stage(NamedTuple):
    """What begins with a FROM."""

    base: str
    name: str  # empty where it has none
    steps: tuple[Instruction, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that ENV sets, nothing in them expanded."""
        words = [word for name, rest in self.steps if name == "ENV" for word in shlex.split(rest)]
        return dict(word.split("=", 1) for word in words)

    def last(self, name: str) -> str:
        """Return what the last instruction of a name says. Raises KeyError."""
        return dict(self.steps)[name]


def read() -> list[Stage]:
    """Return the stages of the Dockerfile."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line.strip():
            continue
        name, _, arguments = line.strip().partition(" ")
        if name == "FROM":
            base, _, label = arguments.partition(" AS ")
            stages.append(Stage(base, label, ()))
        else:
            step = Instruction(name, arguments.strip())
            stages[-1] = stages[-1]._replace(steps=(*stages[-1].steps, step))
    return stages
