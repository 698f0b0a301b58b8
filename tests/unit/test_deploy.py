"""The files a deployment starts from agree with each other and with the tree."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICE = "palimpsest"
PORT = "6333"


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def prometheus() -> Any:
    return yaml.safe_load((ROOT / "docker" / "prometheus.yml").read_text())


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's (instruction, arguments) pairs, stage by stage."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    parsed: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            instruction, _, arguments = line.strip().partition(" ")
            if instruction == "FROM":
                parsed.append([])
            parsed[-1].append((instruction, arguments.strip()))
    return parsed


def environment(stage: list[tuple[str, str]]) -> dict[str, str]:
    words = [word for name, rest in stage if name == "ENV" for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def test_prometheus_scrapes_the_server_of_the_compose_file(compose: Any, prometheus: Any) -> None:
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    assert SERVICE in compose["services"]
    assert jobs[SERVICE]["static_configs"][0]["targets"] == [f"{SERVICE}:{PORT}"]
    assert jobs[SERVICE]["metrics_path"] == "/metrics"


def test_prometheus_waits_for_a_healthy_server_and_reads_our_configuration(compose: Any) -> None:
    service = compose["services"]["prometheus"]
    assert service["depends_on"][SERVICE]["condition"] == "service_healthy"
    source, target, mode = service["volumes"][0].split(":")
    assert (ROOT / source).is_file()
    assert (target, mode) == ("/etc/prometheus/prometheus.yml", "ro")


def test_compose_publishes_on_the_loopback_only_and_names_its_volumes(compose: Any) -> None:
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        named = [v.split(":")[0] for v in service["volumes"] if not v.startswith(".")]
        assert set(named) <= set(compose["volumes"])
    assert f"127.0.0.1:{PORT}:{PORT}" in compose["services"][SERVICE]["ports"]


def test_image_port_and_volume_are_those_of_the_compose_file(
    stages: list[list[tuple[str, str]]], compose: Any
) -> None:
    last = dict(stages[-1])
    settings = environment(stages[-1])
    assert last["EXPOSE"] == settings["PALIMPSEST_PORT"] == PORT
    assert last["VOLUME"] == settings["PALIMPSEST_DATA"]
    assert compose["services"][SERVICE]["volumes"] == [f"{SERVICE}:{settings['PALIMPSEST_DATA']}"]


def test_image_settings_are_settings_of_the_server(stages: list[list[tuple[str, str]]]) -> None:
    from app.settings import Settings

    ours = [name for name in environment(stages[-1]) if name.startswith("PALIMPSEST_")]
    assert {name.removeprefix("PALIMPSEST_").lower() for name in ours} <= set(Settings.model_fields)


def test_image_copies_only_what_exists_and_what_the_context_lets_through(
    stages: list[list[tuple[str, str]]],
) -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for stage in stages:
        for instruction, arguments in stage:
            if instruction == "COPY" and not arguments.startswith("--from"):
                for source in shlex.split(arguments)[:-1]:
                    assert (ROOT / source).exists(), source
                    assert source in allowed


def test_image_compiles_in_the_first_stage_only_and_runs_as_a_user(
    stages: list[list[tuple[str, str]]],
) -> None:
    build, final = stages
    assert any("g++" in rest for name, rest in build if name == "RUN")
    assert not any("g++" in rest or "apt-get" in rest for name, rest in final if name == "RUN")
    assert environment(build)["HNSWLIB_NO_NATIVE"] == "1"
    names = [name for name, _ in final]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert dict(final)["USER"] not in {"root", "0"}


def test_image_starts_a_command_of_the_package(stages: list[list[tuple[str, str]]]) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    last = dict(stages[-1])
    assert json.loads(last["ENTRYPOINT"])[0] in scripts
    assert json.loads(last["CMD"]) == ["serve"]


def test_health_check_is_runnable_python_that_asks_readyz(
    stages: list[list[tuple[str, str]]],
) -> None:
    command = json.loads(dict(stages[-1])["HEALTHCHECK"].partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    assert "/readyz" in command[2]
    # Nothing listens on this port, so the check must fail, and by itself.
    nowhere = {**os.environ, "PALIMPSEST_PORT": "1"}
    done = subprocess.run(
        [sys.executable, *command[1:]], env=nowhere, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "refused" in done.stderr


def test_continuous_integration_runs_check_and_test() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    # What one half leaves out is all that the other runs, and both halves count.
    halves = re.findall(r'^ +make test TESTS="(.+?)" .*$', script, flags=re.MULTILINE)
    assert halves == ["${first[*]}", "tests ${first[*]/#/--ignore=}"]
    assert script.count("|| status=$?") == len(halves)
    lines = script.splitlines()
    steps = ["make check", "test_in_halves", "make clients CLIENTS=short", "make emulated"]
    assert [line for line in lines if line in steps] == steps
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    wanted = {"install", "serve", "test", "check", "bench", "asan", "wheel"}
    assert wanted <= set(targets)


def test_shell_of_the_continuous_integration_parses() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True, timeout=60)
