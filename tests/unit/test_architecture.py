"""ARCHITECTURE.md: every file that it names exists, and no room is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
NAMED = set(re.findall(r"`((?:app|index|tests|docs)/[\w./]*)`", TEXT))


def test_every_file_and_folder_that_is_named_exists() -> None:
    assert len(NAMED) > 60
    assert [name for name in sorted(NAMED) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("top", ["app", "index"])
def test_no_room_is_left_out(top: str) -> None:
    rooms = {f"{path.parent.relative_to(ROOT)}/" for path in (ROOT / top).glob("*/__init__.py")}
    assert rooms and rooms <= NAMED


def test_every_open_module_of_the_engine_is_told_of() -> None:
    told = set(re.findall(r"`(?:index/)?(\w+\.py)`", TEXT))
    assert {path.name for path in (ROOT / "index").glob("*.py")} - {"__init__.py"} <= told
