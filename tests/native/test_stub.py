"""The types that are written down of the native module are those of the module."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from palimpsest.index import _native

STUB = Path(__file__).parents[2] / "index" / "_native.pyi"
Names = dict[str, list[str]]


def names_of_function(node: ast.FunctionDef) -> list[str]:
    return [one.arg for one in node.args.args]


def stated() -> Names:
    """Return the arguments of every function that the stub names, none for a property."""
    names: Names = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = names_of_function(node)
        if not isinstance(node, ast.ClassDef):
            continue
        names[node.name] = []
        for one in node.body:
            if isinstance(one, ast.FunctionDef):
                is_property = bool(one.decorator_list)
                names[f"{node.name}.{one.name}"] = [] if is_property else names_of_function(one)
    return names


def given() -> Names:
    """Return the same of the module."""
    names: Names = {}
    for name, value in vars(_native).items():
        if name.startswith("_"):
            continue
        if not isinstance(value, type):
            names[name] = arguments_of(value)
            continue
        names[name] = []
        for inner, one in vars(value).items():
            if inner == "__init__" and not hasattr(one, "__nb_signature__"):
                continue  # of a type that is not made from Python
            if inner == "__init__" or (inner[0] != "_" and not issubclass(value, Exception)):
                names[f"{name}.{inner}"] = arguments_of(one)
    return names


def arguments_of(function: Any) -> list[str]:
    if not hasattr(function, "__nb_signature__"):
        return []
    ((text, *_),) = function.__nb_signature__
    return re.findall(r"[(,] ?(\w+)(?=[:,)=])", re.sub(r"\[[^]]*\]", "", text))


def test_the_stub_names_what_the_module_holds() -> None:
    found, said = given(), stated()
    found = {name: names for name, names in found.items() if names != ["self"] or name in said}
    assert found == said
