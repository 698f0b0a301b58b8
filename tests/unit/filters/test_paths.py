from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client.local.json_path_parser import parse_json_path

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import EACH, Path
from palimpsest.index.filters.paths import MAX_INDEX, MAX_STEPS, format_path, parse_path
from tests.keys import keys

PATHS: dict[str, Path] = {
    "a": ("a",),
    "a.b": ("a", "b"),
    "a-b_c1.é": ("a-b_c1", "é"),
    "цвет.色": ("цвет", "色"),
    "हिन्दी[].ค่า": ("हिन्दी", EACH, "ค่า"),
    "e\u0301.👩‍👩‍👧": ("e\u0301", "👩‍👩‍👧"),
    '"\\".x': ("\\", "x"),
    "list[].x": ("list", EACH, "x"),
    "list[0][12].x": ("list", 0, 12, "x"),
    "list[][]": ("list", EACH, EACH),
    '"a.b"[].c': ("a.b", EACH, "c"),
    '"": "'[:2]: ("",),
    'x."[0]"': ("x", "[0]"),
    f"a[{MAX_INDEX}]": ("a", MAX_INDEX),
    "a[007]": ("a", 7),
}
WRONG = (
    "", ".", "a.", ".a", "a..b", "a b", "[]", "[0].a", "a[", "a[x]", "a[-1]", "a]", "a[]b", '"a',
    '"a"b', 'a"b"', f"a[{MAX_INDEX + 1}]", "a.[]", "a[0", "a[²]", "a[" + "9" * 5000 + "]",
)  # fmt: skip


@pytest.mark.parametrize("text", PATHS)
def test_paths_are_read_and_written(text: str) -> None:
    path = parse_path(text)
    assert path == PATHS[text]
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"Invalid path .*expected keys joined by dots"):
        parse_path(text)


@given(st.text(alphabet='ab.[]0"-é ', max_size=12))
def test_the_reference_reads_the_same_paths(text: str) -> None:
    try:
        expected = parse_json_path(text)
    except ValueError:
        with pytest.raises(InvalidInput):
            parse_path(text)
        return
    steps = [EACH if s.index is s.key is None else s.key if s.index is None else s.index
             for s in expected]  # fmt: skip
    assert parse_path(text) == tuple(steps)


@given(st.lists(keys() | st.just(EACH) | st.integers(0, MAX_INDEX), max_size=3), keys())
def test_every_path_can_be_written(steps: list[Any], key: str) -> None:
    path = (key, *steps)
    assert parse_path(format_path(path)) == path


def test_keys_are_told_apart_by_their_bytes() -> None:
    assert len({parse_path(key) for key in ("é", "e\u0301", "Å", "\u212b", "A\u030a")}) == 5
    assert parse_path("ж" * 65_536) == ("ж" * 65_536,)


def test_endless_paths_are_refused() -> None:
    assert len(parse_path(".".join("a" * MAX_STEPS))) == MAX_STEPS
    for longer in (".".join("a" * (MAX_STEPS + 1)), "a" + "[]" * 1_000_000, "a." * 1_000_000):
        with pytest.raises(InvalidInput, match=f"more than {MAX_STEPS} steps") as refusal:
            parse_path(longer)
        assert len(str(refusal.value)) < 300
