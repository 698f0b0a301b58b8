"""The tests of a module are found by its name, but for those that are listed here.

``tests/unit/<room>/test_<module>.py`` holds them; those of a module that knows HTTP may need a
server and lie in ``tests/api``. A module that only declares, in which no function does anything,
has nothing to test. The list may only get shorter: a new module comes with its tests, and one that
got some leaves it.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]

# By room, the modules whose tests are found under other names.
WITHOUT: dict[str, str] = {
    "app/access": "claims documented guard holding limits",
    "app": (
        "bodies context counts envelope integrity_metrics knobs main recall_metrics settings "
        "strict_formulas"
    ),
    "app/health": "gauges life start",
    "app/routes": "in_event_loop readings",
    "app/schemas": (
        "backfills conditions documents effective examples explanations formulas information "
        "kinds pruning query_documents records shapes spaces targets unresolved versioned"
    ),
    "app/wire": "connection ends replies screen sending targets",
    "app/work": "depth gauges",
}


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
    listed = {Path(room, f"{n}.py") for room, names in WITHOUT.items() for n in names.split()}
    without = {
        one
        for one in modules()
        if not any(place.exists() for place in places(one))
        and not only_declares((ROOT / one).read_text())
    }
    assert sorted(map(str, without - listed)) == [], "give them tests of their names"
    assert sorted(map(str, listed - without)) == [], "take them off the list"


def test_what_only_declares() -> None:
    assert only_declares('X = 1\nclass A:\n    y: int\n    def f(self) -> int:\n        "doc"')
    assert only_declares("from a import b\nasync def f() -> None: ...")
    assert not only_declares("class A:\n    def f(self) -> int:\n        return 1")
