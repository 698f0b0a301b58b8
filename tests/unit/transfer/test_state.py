"""How far an import is, on disk."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from palimpsest.app.transfer.errors import TransferError
from palimpsest.app.transfer.state import FORMAT, Progress, StateFile, default_path


def test_what_is_noted_is_read_again(tmp_path: Path) -> None:
    noted = Progress([[1, 2], None], 1, 2**40, "9b", 3, 2**64 - 1, "x", 5, "skip", 6, 7)
    with closing(StateFile(tmp_path / "a" / "state")) as state:
        assert state.load() is None
        state.save(Progress([]))
        state.save(noted)
        assert state.load() == noted
    with closing(StateFile(tmp_path / "a" / "state")) as state:
        assert state.load() == noted
        state.remove()
        state.remove()
        assert state.load() is None


def test_two_of_the_same_do_not_run_at_once(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state")):
        with pytest.raises(TransferError, match="another import of the same is running"):
            StateFile(tmp_path / "state")
    StateFile(tmp_path / "state").close()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"marks": 3}'])
def test_a_note_that_cannot_be_read_is_no_beginning(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "state").write_bytes(text)
    with closing(StateFile(tmp_path / "state")) as state:
        with pytest.raises(TransferError, match="--restart"):
            state.load()


def test_a_note_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state")) as state:
        state.save(replace(Progress([]), format=FORMAT + 1))
        with pytest.raises(TransferError, match="expected format 1, got 2"):
            state.load()


def test_where_nothing_can_be_noted_another_place_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TransferError, match="--state FILE"):
        StateFile(tmp_path / "file" / "state")


def test_each_import_has_its_own_place(tmp_path: Path) -> None:
    homes = {"XDG_STATE_HOME": str(tmp_path)}
    one = default_path({"url": "a", "sources": ["b"]}, homes)
    assert one == default_path({"sources": ["b"], "url": "a"}, homes)
    assert one != default_path({"url": "a", "sources": ["c"]}, homes)
    assert one.parent == tmp_path / "palimpsest"
    assert default_path({}, {}).is_relative_to(Path.home())
