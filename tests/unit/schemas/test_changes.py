"""Changes merge into a declaration."""

from __future__ import annotations

from palimpsest.app.schemas.changes import merge
from palimpsest.app.schemas.collections import CollectionChange


def test_changes_merge_into_a_declaration() -> None:
    declared = {
        "vectors": {"size": 8, "distance": "Dot"},
        "quantization_config": {"scalar": {"type": "int8"}},
        "hnsw_config": {"m": 8, "on_disk": True},
        "metadata": {"kept": 1, "gone": 2},
    }
    change = CollectionChange.model_validate(
        {
            "vectors": {"": {"on_disk": True}},
            "hnsw_config": {"m": 24},
            "quantization_config": "Disabled",
            "params": {"on_disk_payload": False},
            "metadata": {"gone": None, "new": {"x": None}},
        }
    )
    merged = merge(declared, change).model_dump(exclude_unset=True)
    assert merged == {
        "vectors": {"size": 8, "distance": "Dot", "on_disk": True},
        "hnsw_config": {"m": 24, "on_disk": True},
        "on_disk_payload": False,
        "metadata": {"kept": 1, "new": {"x": None}},
    }
