"""The demo's passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.demo.corpus import MAX_LENGTH, MIN_LENGTH, Passage, collect, cut
from palimpsest.app.demo.errors import DemoError

SOURCE = '''
"""A module that is documented well enough to be found."""

import sys
sys.exit("imported")


class Box:
    """A box that keeps things until they are asked for."""

    def open(self):
        """Open the box and return the things that were kept in it."""

    def close(self):
        """Close."""


if True:

    def twin():
        """A box that keeps things until they are asked for."""
'''


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_box.py").write_text(SOURCE.replace("box", "test"))
    return tmp_path


def test_passages_have_qualified_names_and_no_duplicates(library: Path) -> None:
    assert collect(10, library=library) == [
        Passage("package", "A module that is documented well enough to be found."),
        Passage("package.Box", "A box that keeps things until they are asked for."),
        Passage("package.Box.open", "Open the box and return the things that were kept in it."),
    ]


def test_a_limit_draws_the_same_passages_in_order(library: Path) -> None:
    drawn = collect(2, library=library)
    assert len(drawn) == 2
    assert drawn == collect(2, library=library)
    assert [one for one in collect(10, library=library) if one in drawn] == drawn


def test_no_sources_are_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="sources"):
        collect(10, library=tmp_path)


def test_the_standard_library_gives_a_few_thousand_passages(standard: list[Passage]) -> None:
    assert 3_000 < len(standard) < 30_000
    assert all(MIN_LENGTH <= len(one.text) <= MAX_LENGTH for one in standard)
    assert any(one.name == "json.dumps" for one in standard)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("one\n  two", "one two"), ("one two three", "one two"), ("abcdefghijkl", "abcdefghi")],
)
def test_texts_are_cut_between_words(text: str, expected: str) -> None:
    assert cut(text, 9) == expected
