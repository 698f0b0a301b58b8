"""The server that is put together: every route is documented by one name, settings are checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.main import DOCUMENTED, create_app
from palimpsest.app.settings import Misconfigured, Settings


def test_operations_have_one_name_each() -> None:
    names = [name for each in DOCUMENTED for name in each.REPLIES]
    assert len(names) == len(set(names))


def test_nothing_is_opened_before_it_is_served(tmp_path: Path) -> None:
    folder = tmp_path / "données"
    create_app(Settings(data=folder))
    assert not folder.exists()


def test_settings_that_cannot_be_served_with(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        create_app(Settings(data=tmp_path, api_key_file=tmp_path / "no such file"))
