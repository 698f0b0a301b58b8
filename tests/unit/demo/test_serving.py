"""The demo's server."""

from __future__ import annotations

import pytest

from palimpsest.app.demo.serving import environment


def test_the_server_of_the_demo_takes_no_settings_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("API_KEY", "TLS_CERT", "DATA", "MISSPELT", "SIMD"):
        monkeypatch.setenv(f"PALIMPSEST_{name}", "x")
    kept = [name for name in environment() if name.startswith("PALIMPSEST_")]
    assert kept == ["PALIMPSEST_SIMD"]
    assert "PATH" in environment()
