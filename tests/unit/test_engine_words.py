"""The engine speaks of vectors and files; how it is called and set up is said by the server alone.

What callers can do is told by values of ``index.remedies``, which ``app.remedies`` words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from palimpsest import index

ENGINE = Path(index.__file__).parent
WORDS = re.compile(
    r"""
      \b(?:GET|PUT|POST|PATCH|HEAD)\b | \bDELETE\ (?!FROM\b|ON\b)  # methods; SQL deletes too
    | \bHTTP | \bREST\b | \bOpenAPI\b | \bstatus\ code | \bquery\ string | \bendpoint\b | \bURLs?\b
    | (?<![\w.])/(?:collections|aliases|metrics|telemetry|readyz|healthz|livez|issues|docs)\b
    | (?:^|[\s/])C/[a-z] | \badapters/\{ | \bversions/\{        # paths
    | \bx-palimpsest | \bapi-key\b | \bAuthorization\b | \bthe\ header\b
    | \bPALIMPSEST_ | \benvironment\ variable                       # settings
    | `palimpsest\ (?!doctor) | (?:^|\s)--(?:data|host|port)\b
    | ^(?:Not\ found|Wrong\ input|Bad\ request|(?:Format|Validation)\ error\b.*): # beginnings
    | \bJSON\ body | \bquery\ parameters? | \bpath\ parameters?
    """,
    re.VERBOSE,
)
OWN = ("PALIMPSEST_SIMD",)  # which native code reads by itself, before any setting is known
_NATIVE_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module with their lines, f-strings as wholes; no text on its own."""
    alone, parts = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            alone.add(node.value)  # a docstring
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            text = "".join(
                one.value if isinstance(one, ast.Constant) else "{}" for one in node.values
            )
            yield node.lineno, text
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node not in alone and node not in parts:
                yield node.lineno, node.value


def _spoken(text: str) -> list[str]:
    return [f"{line}: {said}" for line, said in _texts(ast.parse(text)) if WORDS.search(said)]


def _is_other(text: str) -> bool:
    return bool(WORDS.search(text)) and text.rstrip("=") not in OWN


def test_no_text_of_the_engine_speaks_of_the_server() -> None:
    modules = sorted(ENGINE.rglob("*.py"))
    assert len(modules) > 100
    found = {
        str(path.relative_to(ENGINE)): said
        for path in modules
        if (said := _spoken(path.read_text("utf-8")))
    }
    assert not found, "raise a value of index/remedies.py, and word it in app/remedies.py"


def test_no_text_of_native_code_does() -> None:
    sources = [path for path in ENGINE.rglob("*") if path.suffix in (".cpp", ".h")]
    assert len(sources) > 10
    found = {
        str(path.relative_to(ENGINE)): said
        for path in sources
        if (said := [t for t in _NATIVE_TEXT.findall(path.read_text("utf-8")) if _is_other(t)])
    }
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "fit one with POST adapters",
        "GET backfill lists them",
        "drop it with DELETE /collections/{name}",
        "by the header x-palimpsest-bridge: off",
        "raise PALIMPSEST_MAX_MEMORY",
        "see /readyz?verbose",
        "Validation error in JSON body",
        "choose another --data",
    ],
)
def test_such_texts_are_found(text: str) -> None:
    for code in (f"raise ValueError({text!r})", f"x = f'{{a}} {text}'", f"R = ({text!r} ' more')"):
        assert _spoken(code)
    assert not _spoken(f'def f():\n    """{text}"""\n')


@pytest.mark.parametrize("text", ["DELETE FROM points", "after a write", "GETTING", "rest of it"])
def test_others_are_not(text: str) -> None:
    assert not _spoken(f"x = {text!r}")
