"""Variables that look like settings: misspelt ones are refused, those of other programs pass."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from palimpsest.app.options.environment import misspelt
from palimpsest.app.settings import Settings


@pytest.mark.parametrize(
    "name, value",
    [
        ("PALIMPSEST_SERVICE_HOST", "10.0.0.1"),
        ("PALIMPSEST_SERVICE_PORT", "6333"),
        ("PALIMPSEST_SERVICE_PORT_HTTP", "6333"),
        ("PALIMPSEST_PORT", "tcp://10.0.0.1:6333"),
        ("PALIMPSEST_PORT_6333_TCP", "tcp://10.0.0.1:6333"),
        ("PALIMPSEST_PORT_6333_TCP_ADDR", "10.0.0.1"),
        ("PALIMPSEST_PORT_6333_TCP_PORT", "6333"),
        ("PALIMPSEST_PORT_6333_TCP_PROTO", "tcp"),
        ("PALIMPSEST_PORT_53_UDP_ADDR", "10.0.0.1"),
        ("PALIMPSEST_STAGING_SERVICE_HOST", "10.0.0.1"),
        ("PALIMPSEST_STAGING_2_SERVICE_PORT_METRICS", "6333"),
        ("PALIMPSEST_STAGING_PORT", "tcp://10.0.0.1:6333"),
        ("PALIMPSEST_STAGING_PORT_6333_TCP_ADDR", "10.0.0.1"),
        ("PALIMPSEST_NAME", "/web/palimpsest"),
        ("PALIMPSEST_ENV_PYTHON_VERSION", "3.13"),
        ("PALIMPSEST_1_ENV_lower", "x"),
        ("PALIMPSEST_SIMD", "avx2"),
        ("PALIMPSEST_EVAL_DATA", "/vectors"),
        ("PALIMPSEST_CLIENTS", "short"),
        ("PALIMPSEST_DIFFERENTIAL", "20"),
        ("PALIMPSEST_PORT", "6333"),
        ("PALIMPSEST", "x"),
        ("MY_PALIMPSEST_PORT", "x"),
    ],
)
def test_names_that_pass(name: str, value: str) -> None:
    assert misspelt(Settings, {name: value}) == []


@pytest.mark.parametrize(
    "name, value, meant",
    [
        ("PALIMPSEST_PROT", "6333", "PALIMPSEST_PORT?"),
        ("PALIMPSEST_DATA_DIR", "/data", "PALIMPSEST_DATA?"),
        ("PALIMPSEST_LOGLEVEL", "INFO", "PALIMPSEST_LOG_LEVEL?"),
        ("PALIMPSEST__PORT", "6333", "PALIMPSEST_PORT?"),
        ("PALIMPSEST_SIMDS", "avx2", "PALIMPSEST_SIMD?"),
        ("PALIMPSEST_NAME", "mine", ""),
        ("PALIMPSEST_PORT_6333", "x", "PALIMPSEST_PORT?"),
        ("palimpsest_port", "6333", "in capitals, PALIMPSEST_PORT"),
        ("Palimpsest_Prot", "6333", "PALIMPSEST_PORT?"),
        ("PALIMPSEST_XYZZY_QUUX", "1", "`palimpsest serve --help`"),
        ("PALIMPSEST_", "1", "`palimpsest serve --help`"),
    ],
)
def test_names_that_are_refused(name: str, value: str, meant: str) -> None:
    (told,) = misspelt(Settings, {name: value})
    assert told.startswith(f"{name} is no setting: ")
    assert meant in told


def test_an_address_as_the_port_means_that_it_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_PORT", "tcp://10.0.0.1:6333")
    assert Settings().model_fields_set == set()


def test_a_name_in_other_letters_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("palimpsest_port", "7000")
    assert Settings().port == 6333


def test_a_misspelt_variable_ends_the_process_at_start() -> None:
    wrong = {"PALIMPSEST_PROT": "1", "PALIMPSEST_HOTS": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "palimpsest.app.cli", "serve"],
        env={**os.environ, **wrong},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert [line.split()[1] for line in done.stderr.splitlines()] == sorted(wrong)
