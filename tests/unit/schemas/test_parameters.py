"""Parameters of searches in bodies."""

from __future__ import annotations

from palimpsest.app.schemas.parameters import Parameters, parse_parameters


def test_parameters() -> None:
    assert parse_parameters(b"") == Parameters(wait=False, timeout=None)
    given = b"wait=true&timeout=7&ordering=strong&consistency=majority&other=x"
    assert parse_parameters(given) == Parameters(wait=True, timeout=7)
    assert parse_parameters(b"consistency=2") == Parameters()
