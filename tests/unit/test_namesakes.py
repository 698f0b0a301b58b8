"""The tests of a module are found by its name.

``tests/unit/<room>/test_<module>.py`` holds them; those of a module that knows HTTP may need a
server and lie in ``tests/api``. A module that only declares, in which no function does anything,
has nothing to test.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def modules() -> set[Path]:
    """Return all modules, from the folder `app` or `index` on."""
    files = (path for top in ("app", "index") for path in (ROOT / top).rglob("*.py"))
    return {path.relative_to(ROOT) for path in files if path.name != "__init__.py"}


def places(module: Path) -> list[Path]:
    """Return where the tests of a module may lie."""
    name = f"test_{module.name}"
    found = [ROOT / "tests" / "unit" / Path(*module.parts[1:-1]) / name]
    return [*found, ROOT / "tests" / "api" / name] if module.parts[0] == "app" else found


def only_declares(text: str) -> bool:
    """Tell whether a module is types, constants and protocols alone: functions have no bodies."""
    return not any(
        not isinstance(statement, ast.Pass)
        and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
    )


def test_every_module_has_tests_of_its_name() -> None:
    without = [
        str(one)
        for one in modules()
        if not any(place.exists() for place in places(one))
        and not only_declares((ROOT / one).read_text())
    ]
    assert sorted(without) == [], "give them tests of their names"


def test_what_only_declares() -> None:
    assert only_declares('X = 1\nclass A:\n    y: int\n    def f(self) -> int:\n        "doc"')
    assert only_declares("from a import b\nasync def f() -> None: ...")
    assert not only_declares("class A:\n    def f(self) -> int:\n        return 1")
