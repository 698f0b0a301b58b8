"""Changes of what a collection declares are stored and in force, or neither."""

from __future__ import annotations

from dataclasses import replace

import pytest

from palimpsest.index import Collection, MaintenanceConfig
from palimpsest.index.write import declaring as declaring_module
from tests.conftest import OpenCollection, open_collection
from tests.points import config_of


def test_what_finds_no_memory_is_not_stored_either(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError

    collection: Collection = collection_of(config_of(4))
    before = collection.config
    changed = replace(before, maintenance=MaintenanceConfig(seal_rows=77))
    with monkeypatch.context() as patched:
        patched.setattr(declaring_module, "apply", none_left)
        with pytest.raises(MemoryError):
            collection.reconfigure(changed)
    assert collection.config == before
    collection.close()
    again = open_collection(collection.folder)
    assert again.config == before
    again.reconfigure(changed)
    assert again.config == changed
    again.close()
