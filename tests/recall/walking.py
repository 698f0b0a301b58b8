"""Graphs that are walked however few rows they are of, so that small data tries walks."""

from __future__ import annotations

import pytest

from index.search import plan


def walk_to_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have graphs walked where codes of so few rows would be scanned."""
    for constant in ("_SCANNED_PER_EF", "_SCANNED_PER_EF_FEW", "_SCANNED_PER_EF_WIDE"):
        monkeypatch.setattr(plan, constant, 0)
    monkeypatch.setattr("index.search.mapped_query.SCANNED", 0)
