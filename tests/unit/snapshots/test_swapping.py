"""A swap leaves the old folder or the new one under the name, wherever it ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palimpsest.index.snapshots.swapping import settle, swap
from palimpsest.index.storage.local import Local


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Local, Local]:
    for name in ("collections", "unfinished"):
        (tmp_path / name).mkdir()
    return Local(tmp_path / "collections"), Local(tmp_path / "unfinished")


def hold(folder: Path, text: str) -> Local:
    folder.mkdir(parents=True)
    (folder / "what").write_text(text)
    return Local(folder)


def held(collections: Local) -> str:
    return (collections.path / "c" / "what").read_text()


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("finishes", [True, False])
def test_it_is_finished_or_undone(
    there: bool, finishes: bool, folders: tuple[Local, Local]
) -> None:
    collections, unfinished = folders
    if there:
        hold(collections.path / "c", "old")
    made = swap(collections, unfinished, hold(unfinished.path / "id" / "c", "new"), "c")
    assert held(collections) == "new"
    if finishes:
        made.finish()
        assert held(collections) == "new" and unfinished.list() == ["id"]
    else:
        made.undo()
        assert collections.list() == (["c"] if there else [])
        assert not there or held(collections) == "old"
    settle(collections, unfinished)
    assert collections.list() == (["c"] if there or finishes else [])


class Ended(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("there", [True, False])
def test_a_kill_at_every_call(
    there: bool, folders: tuple[Local, Local], monkeypatch: pytest.MonkeyPatch
) -> None:
    collections, unfinished = folders
    last, ended = 0, True
    while ended:
        last += 1
        for folder in folders:
            for name in folder.list():
                folder.remove(name)
        if there:
            hold(collections.path / "c", "old")
        staged = hold(unfinished.path / "id" / "c", "new")
        ended = ends_at(last, monkeypatch, lambda staged=staged: run(*folders, staged))  # type: ignore[misc]
        settle(collections, unfinished)
        if there or not ended:
            assert held(collections) in ("old", "new")
        if not ended:
            assert held(collections) == "new"
    assert last > (6 if there else 3)


def run(collections: Local, unfinished: Local, staged: Local) -> None:
    swap(collections, unfinished, staged, "c").finish()


def ends_at(last: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> bool:
    """Run work up to the n-th call that changes a folder; tell whether it got there.

    From then on nothing is changed any more, as after a kill.
    """
    count = 0

    def before(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count >= last:
                raise Ended
            return call(*arguments, **options)

        return counted

    with monkeypatch.context() as patched:
        for name in ("rename", "mkdir", "fsync", "rmdir", "unlink"):
            patched.setattr(os, name, before(getattr(os, name)))
        try:
            work()
        except Ended:
            return True
    return False


def test_a_swap_that_fails_leaves_the_old_one(folders: tuple[Local, Local]) -> None:
    collections, unfinished = folders
    hold(collections.path / "c", "old")
    with pytest.raises(OSError):
        swap(collections, unfinished, unfinished / "missing" / "c", "c")
    assert held(collections) == "old"
