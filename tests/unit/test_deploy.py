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

from palimpsest.app.health.serving import GRACE_SECONDS, LATE_SECONDS
from tests.image import dockerfile
from tests.image.dockerfile import Stage

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
def stages() -> list[Stage]:
    return dockerfile.read()


def test_prometheus_scrapes_the_server_of_the_compose_file(compose: Any, prometheus: Any) -> None:
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    assert SERVICE in compose["services"]
    assert jobs[SERVICE]["static_configs"][0]["targets"] == [f"{SERVICE}:{PORT}"]
    assert jobs[SERVICE]["metrics_path"] == "/metrics"


def test_prometheus_waits_for_a_healthy_server_and_reads_our_configuration(
    compose: Any, prometheus: Any
) -> None:
    service = compose["services"]["prometheus"]
    assert service["depends_on"][SERVICE]["condition"] == "service_healthy"
    mounted = {}
    for volume in service["volumes"][:-1]:
        source, target, mode = volume.split(":")
        assert (ROOT / source).is_file()
        assert mode == "ro"
        mounted[target] = Path(source).name
    assert mounted["/etc/prometheus/prometheus.yml"] == "prometheus.yml"
    assert [mounted[each] for each in prometheus["rule_files"]] == ["rules.yml", "alerts.yml"]


def test_compose_asks_for_keys_and_prometheus_shows_the_one_for_reading(
    compose: Any, prometheus: Any
) -> None:
    keys = compose["services"][SERVICE]["environment"]
    for name in ("PALIMPSEST_API_KEY", "PALIMPSEST_READ_ONLY_API_KEY"):
        assert keys[name].startswith(f"${{{name}:?")  # no server without it
    (secret,) = compose["services"]["prometheus"]["secrets"]
    assert compose["secrets"][secret] == {"environment": "PALIMPSEST_READ_ONLY_API_KEY"}
    job = next(job for job in prometheus["scrape_configs"] if job["job_name"] == SERVICE)
    assert job["authorization"] == {"credentials_file": f"/run/secrets/{secret}"}
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/.env" in ignored  # where compose finds them


def test_the_commands_of_the_readme_make_the_keys_that_compose_asks_for(
    compose: Any, tmp_path: Path
) -> None:
    (block,) = re.findall(r"^```shell\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    stubs = 'docker() { echo "$@"; }\ncurl() { echo "$2"; }\n'
    done = subprocess.run(
        ["sh", "-ec", stubs + block], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    made = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    required = re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text())
    assert sorted(made) == sorted(required)
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in made.values())
    assert len(set(made.values())) == len(required)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert done.stdout == f"compose up --build\napi-key: {made['PALIMPSEST_API_KEY']}\n"


def test_grafana_asks_for_a_password_and_has_the_dashboards_of_the_tree(
    compose: Any, prometheus: Any
) -> None:
    service = compose["services"]["grafana"]
    assert service["environment"]["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
    assert service["depends_on"]["prometheus"]["condition"] == "service_healthy"
    mounted = {}
    for volume in service["volumes"][:-1]:
        source, target, mode = volume.split(":")
        assert (ROOT / source).is_dir()
        assert mode == "ro"
        mounted[target] = ROOT / source
    provisioning = mounted["/etc/grafana/provisioning"]
    (file,) = (provisioning / "dashboards").iterdir()
    (provider,) = yaml.safe_load(file.read_text())["providers"]
    boards = mounted[provider["options"]["path"]]
    assert len(list(boards.glob("*.json"))) == 3
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (boards / Path(home).name).is_file()
    assert str(Path(home).parent) == provider["options"]["path"]
    (file,) = (provisioning / "datasources").iterdir()
    (source,) = yaml.safe_load(file.read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]


def test_those_who_watch_have_limits_and_no_rights(compose: Any) -> None:
    for name in ("prometheus", "grafana"):
        service = compose["services"][name]
        assert service["mem_limit"] and service["pids_limit"]
        assert service["logging"] == compose["services"][SERVICE]["logging"]  # which is bounded
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "127.0.0.1" in service["healthcheck"]["test"][-1]
    assert "--enable-feature=exemplar-storage" in compose["services"]["prometheus"]["command"]


def test_compose_publishes_on_the_loopback_only_and_names_its_volumes(compose: Any) -> None:
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        named = [v.split(":")[0] for v in service["volumes"] if not v.startswith(".")]
        assert set(named) <= set(compose["volumes"])
    assert f"127.0.0.1:{PORT}:{PORT}" in compose["services"][SERVICE]["ports"]


def test_image_port_and_volume_are_those_of_the_compose_file(
    stages: list[Stage], compose: Any
) -> None:
    last = stages[-1]
    settings = stages[-1].environment
    assert last.last("EXPOSE") == settings["PALIMPSEST_PORT"] == PORT
    assert last.last("VOLUME") == settings["PALIMPSEST_DATA"]
    assert compose["services"][SERVICE]["volumes"] == [f"{SERVICE}:{settings['PALIMPSEST_DATA']}"]


def test_image_settings_are_settings_of_the_server(stages: list[Stage], compose: Any) -> None:
    from palimpsest.app.settings import Settings

    given = [*stages[-1].environment, *compose["services"][SERVICE]["environment"]]
    ours = [name for name in given if name.startswith("PALIMPSEST_")]
    assert {name.removeprefix("PALIMPSEST_").lower() for name in ours} <= set(Settings.model_fields)


def test_image_copies_only_what_exists_and_what_the_context_lets_through(
    stages: list[Stage],
) -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for stage in stages:
        for instruction, arguments in stage.steps:
            if instruction == "COPY" and not arguments.startswith("--from"):
                for source in shlex.split(arguments)[:-1]:
                    assert (ROOT / source).exists(), source
                    assert source in allowed


def test_image_compiles_in_the_first_stage_only_and_runs_as_a_user(
    stages: list[Stage],
) -> None:
    build, final = stages
    assert any("g++" in rest for name, rest in build.steps if name == "RUN")
    assert not any(
        "g++" in rest or "apt-get" in rest for name, rest in final.steps if name == "RUN"
    )
    names = [name for name, _ in final.steps]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert final.last("USER") not in {"root", "0"}


def test_image_installs_what_is_locked_and_nothing_else(stages: list[Stage]) -> None:
    locked = r"--require-hashes --only-binary :all: -r docker/\w+\.lock"
    steps = [rest for stage in stages for name, rest in stage.steps if name == "RUN"]
    installs = [
        " ".join(each.split())
        for step in steps
        for each in re.findall(r"pip\b[^&]* install ([^&]*)", step)
    ]
    assert len(installs) == 3
    for each in installs:
        assert re.fullmatch(locked, each) or each.startswith("--no-index --no-deps"), each


def test_image_check_of_compose_is_that_of_the_image(stages: list[Stage], compose: Any) -> None:
    flags, _, command = stages[-1].last("HEALTHCHECK").partition("CMD ")
    check = compose["services"][SERVICE]["healthcheck"]
    assert check["test"] == ["CMD", *json.loads(command)]
    given = dict(flag.removeprefix("--").split("=") for flag in flags.split())
    assert {name.replace("-", "_"): value for name, value in given.items()} == {
        name: str(value) for name, value in check.items() if name != "test"
    }


def test_compose_confines_the_server(compose: Any) -> None:
    service = compose["services"][SERVICE]
    assert service["read_only"] and service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["pids_limit"]
    # longer than the server takes to end whatever requests do
    assert service["stop_grace_period"] == "15s"
    assert GRACE_SECONDS + LATE_SECONDS < 10


def test_image_starts_a_command_of_the_package(stages: list[Stage]) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    last = stages[-1]
    assert json.loads(last.last("ENTRYPOINT"))[0] in scripts
    assert json.loads(last.last("CMD")) == ["serve"]


def test_health_check_is_runnable_python(stages: list[Stage]) -> None:
    command = json.loads(stages[-1].last("HEALTHCHECK").partition("CMD ")[2])
    assert command == ["python", "-m", "palimpsest.app.health.probe"]
    # Nothing listens on this port, so the check must fail, and by itself.
    nowhere = {**os.environ, **stages[-1].environment, "PALIMPSEST_PORT": "1"}
    done = subprocess.run(
        [sys.executable, *command[1:]], env=nowhere, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_continuous_integration_runs_check_and_test() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    (line,) = re.findall(r"^jobs=\((.+?)\)$", script, flags=re.MULTILINE | re.DOTALL)
    jobs = line.split()
    assert len(set(jobs)) == len(jobs)
    assert {job for job in jobs if "/" not in job} == {"check", "clients", "emulated", "rest"}
    # What a job names is all that the rest leaves out, but for the tests of `make clients`.
    assert all((ROOT / job).is_dir() for job in jobs if "/" in job)
    assert 'named+=("--ignore=$job")' in script
    assert 'make test TESTS="tests --ignore=tests/clients ${named[*]}"' in script
    assert "| xargs -P 3 -n 1 .ci/run" in script
    assert {"make check", "make clients CLIENTS=short", "make emulated"} <= {
        command.strip(" ;") for command in re.findall(r"make [^;\n]+", script)
    }
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    wanted = {"install", "serve", "test", "check", "bench", "asan", "wheel"}
    assert wanted <= set(targets)


def test_shell_of_the_continuous_integration_parses() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True, timeout=60)
