"""Passages: docstrings of the running Python's standard library.

Sources are parsed, never imported: importing all modules would open windows and print poems.
Files come in the order of their names and duplicates are left out, so that the same Python gives
the same passages.
"""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from palimpsest.app.demo.errors import DemoError

MIN_LENGTH = 40  # characters: "See above." is no passage
MAX_LENGTH = 400
# Tests, programs and vendored wheels are no part of the library that one looks things up in.
_SKIPPED = {
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "turtledemo",
}

_Documented: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Passage(NamedTuple):
    """A docstring: the qualified name it stands under, and its text on one line."""

    name: str
    text: str


def collect(limit: int, seed: int = 0, library: Path | None = None) -> list[Passage]:
    """Return at most ``limit`` passages in order of their names, drawn at random among more.

    Args:
        limit: the most that are wanted.
        seed: fixes the draw.
        library: folder of sources; None for the running Python's standard library.

    Raises:
        DemoError: there are no sources, as in a Python that is packed into one file.
    """
    folder = library or Path(sysconfig.get_path("stdlib"))
    texts: dict[str, Passage] = {}
    for passage in _passages(folder):
        # The same text stands under several names (methods that are inherited, functions that are
        # wrapped): two passages that cannot be told apart would make questions with two right
        # answers.
        texts.setdefault(passage.text, passage)
    if not texts:
        raise DemoError(
            f"no docstrings in {folder}: expected the sources of the standard library there; "
            "run the demo with a Python that has them"
        )
    found = list(texts.values())
    if len(found) <= limit:
        return found
    chosen = np.random.default_rng(seed).choice(len(found), limit, replace=False)
    return [found[place] for place in sorted(chosen)]


def cut(text: str, length: int = MAX_LENGTH) -> str:
    """Return a text without needless blanks, cut between words to at most so many characters."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    return line[: length + 1].rpartition(" ")[0] or line[:length]


def _passages(folder: Path) -> Iterator[Passage]:
    for file in sorted(folder.rglob("*.py")):
        place = file.relative_to(folder)
        tree = None if _SKIPPED & set(place.parts) else _parse(file)
        if tree is not None:
            module = ".".join(place.with_suffix("").parts).removesuffix(".__init__")
            yield from _docstrings(tree, module)


def _parse(file: Path) -> ast.Module | None:
    """Return the syntax tree of a file; None for templates and other Pythons' syntax."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes are the library's own affair
        try:
            return ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            return None


def _docstrings(node: _Documented, name: str) -> Iterator[Passage]:
    """Yield the passages of a module, class or function, and of what it defines."""
    text = cut(ast.get_docstring(node) or "")
    if len(text) >= MIN_LENGTH:
        yield Passage(name, text)
    for inner in _defined(node):
        yield from _docstrings(inner, f"{name}.{inner.name}")


def _defined(node: ast.AST) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield what a body defines, also under ``if`` and ``try``."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield inner
        elif isinstance(inner, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from _defined(inner)
