"""Graphs that are walked however few rows they are of, so that small data tries walks."""

from __future__ import annotations

import inspect

import pytest

from palimpsest.index.search import plan, scan_or_walk


def walk_to_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have graphs walked where codes of so few rows would be scanned."""
    for module, constants in (
        (plan, ("SCANNED_PER_EF_FEW", "SCANNED_PER_EF_WIDE")),
        (scan_or_walk, ("_SCANNED_PER_EF", "SCANNED_PER_EF_WIDE")),
    ):
        for constant in constants:
            monkeypatch.setattr(module, constant, 0)
    monkeypatch.setattr("palimpsest.index.search.mapped_query.SCANNED", 0)
    # neither are plans of before used now, nor those of now afterwards
    monkeypatch.setattr(plan, "_planned", inspect.unwrap(plan._planned))
