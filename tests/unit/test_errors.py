"""The tree of errors: drawn as it is, remedies as values, texts that any input leaves readable."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from palimpsest.index import errors
from palimpsest.index.errors import (
    Damaged,
    DamagedPoint,
    DirectoryLocked,
    InvalidId,
    MissingAdapter,
    PalimpsestError,
    StorageError,
    UnknownVectorName,
    VersionNotFound,
    fresh,
)
from palimpsest.index.remedies import Act, FitAdapter


def drawn() -> dict[str, str | None]:
    """Return the parent of each class as the docstring draws it."""
    found: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^((?:│   |    |├── |└── )*)([A-Z]\w+)(?: {2,}\S.*|)$", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        above = above[:depth]
        found[match[2]] = above[-1][1] if depth else None
        above.append((depth, match[2]))
    return found


def test_the_tree_is_as_it_is_drawn() -> None:
    classes = {
        name: one
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, PalimpsestError)
    }
    parents = {name: one.__base__.__name__ for name, one in classes.items()}  # type: ignore[union-attr]
    assert drawn() == {**parents, "PalimpsestError": None}


def test_remedies_are_told_in_the_callers_words() -> None:
    error = MissingAdapter("текст", "v1", "v2")
    assert error.remedies == (FitAdapter("текст", "v1", "v2"), Act.LEAVE_OUT)
    assert error.told(lambda one: type(one).__name__) == f"{error.problem}: FitAdapter, or Act"
    locked = DirectoryLocked(Path("/d"), repairing=True)
    assert locked.told(lambda _: "wait") == "/d is being repaired by another process; wait"


def test_an_id_of_any_length_is_told() -> None:
    assert "of thousands of digits" in str(InvalidId(10**5_000))
    assert str(InvalidId("точка")).startswith("Invalid point id 'точка': value точка is not")
    assert "-1" in str(InvalidId(-1))


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ([], "none"),
        (["текст", "текст@v1"], "'текст'"),
        (["текст", "текст@v1", "текст@v2"], "'текст', 'текст@v1', 'текст@v2'"),
        (["текст@v1"], "'текст@v1'"),
    ],
)
def test_the_only_version_of_a_name_is_not_told(known: list[str], said: str) -> None:
    assert str(UnknownVectorName("нет", known)).endswith(f"(declared: {said})")


def test_a_version_asked_for_as_a_collection_is_told_as_one() -> None:
    assert str(VersionNotFound("v9", ["v2", "v1"], "docs@v9")).startswith("Collection `docs@v9`")
    assert VersionNotFound("v9", ["v2", "v1"]).known == ["v1", "v2"]


def test_an_equal_error_has_no_traceback_of_the_first() -> None:
    for error in (
        Damaged(Path("/s/ж"), 1, 2, "length"),
        DamagedPoint(Path("/s"), 2**53 + 1, "has an id, no row"),
        DirectoryLocked(Path("/d")),
        StorageError("problem", Act.REOPEN),
    ):
        try:
            raise error from OSError(errno.EIO, "x")
        except StorageError:
            again = fresh(error)
        assert type(again) is type(error) and str(again) == str(error)
        assert again.__dict__ == error.__dict__ and again.remedies == error.remedies
        assert again.__traceback__ is None and again.__cause__ is None
