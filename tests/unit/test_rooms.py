"""Rooms of the engine say what they are, and its classes mean one thing."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "index"
MODULES = sorted(ENGINE.rglob("*.py"))
ROOMS = sorted(each.parent.name for each in ENGINE.glob("*/__init__.py"))


def test_every_room_says_what_it_may_import() -> None:
    for room in ROOMS:
        said = ast.get_docstring(ast.parse((ENGINE / room / "__init__.py").read_text()))
        assert said is not None and re.search(r"May\s+import", said), room


def test_no_two_classes_of_the_engine_have_one_name() -> None:
    where = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                where[node.name].append(str(path.relative_to(ENGINE)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}
