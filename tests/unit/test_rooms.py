"""Rooms of the engine: each says what it is, a page names all of them, classes mean one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "index"
MODULES = sorted(ENGINE.rglob("*.py"))
ROOMS = sorted(each.parent.name for each in ENGINE.glob("*/__init__.py"))
PAGE = (ROOT / "docs" / "how-it-works.md").read_text()


def test_every_room_says_what_it_may_import() -> None:
    for room in ROOMS:
        said = ast.get_docstring(ast.parse((ENGINE / room / "__init__.py").read_text()))
        assert said is not None and re.search(r"May\s+import", said), room


def test_the_page_names_every_room_and_nothing_else() -> None:
    table = PAGE[PAGE.index("| rooms, from the top |") :]
    firsts = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    named = re.findall(r"`([a-z_]+)(/|\.py)`", " ".join(firsts))
    assert sorted(name for name, kind in named if kind == "/" and name != "sparse") == ROOMS
    files = sorted(each.stem for each in ENGINE.glob("*.py") if each.stem != "__init__")
    assert sorted(name for name, kind in named if kind == ".py") == files


def test_the_page_names_modules_that_exist() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `search/`")]
    for name in re.findall(r"`([a-z_]+)`", rows[0]):
        assert (ENGINE / "search" / f"{name}.py").exists(), name


def test_no_two_classes_of_the_engine_have_one_name() -> None:
    where = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                where[node.name].append(str(path.relative_to(ENGINE)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}
