"""The version that is announced: no tested client finds a reason to warn."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from palimpsest.app.announced import OLDEST, announced_version
from palimpsest.app.settings import Settings
from tests.api.served import Server

AGENTS = ("python-client/1.{}.1 python/3.11.7", "qdrant-js/1.{}.0")


@pytest.mark.parametrize("agent", AGENTS)
def test_no_tested_client_has_a_reason_to_warn(agent: str) -> None:
    for minor in range(OLDEST, 21):
        told = announced_version(Settings(), agent.format(minor))
        major, told_minor, _ = told.split(".")
        assert major == "1"
        assert abs(int(told_minor) - minor) <= 1, minor


@pytest.mark.parametrize("agent", AGENTS)
def test_clients_that_nobody_tried_are_told_what_we_are(agent: str) -> None:
    for minor in (0, OLDEST - 1, 18, 19, 20, 21, 99, 99_999):
        assert announced_version(Settings(), agent.format(minor)) == Settings().version


def test_programs_that_do_not_name_a_version_are_told_the_default() -> None:
    for agent in ("", "curl/8.5", "python-client/2.15.0", "my python-client/1.15.0", "qdrant-js/x"):
        assert announced_version(Settings(), agent) == Settings().version


def test_a_version_that_is_set_is_told_to_everybody(
    tmp_path: Path, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"user-agent": AGENTS[0].format(15)}
    reply = http.get("/", headers=old)
    assert reply.json()["version"] == "1.15.0"
    assert reply.headers["vary"] == "user-agent"
    assert http.get("/").json()["version"] == "1.19.0"
    monkeypatch.setenv("PALIMPSEST_VERSION", "1.20.3")
    assert announced_version(Settings(), old["user-agent"]) == "1.20.3"
    assert announced_version(Settings(version="1.19.0"), old["user-agent"]) == "1.19.0"
    running = Server(tmp_path, PALIMPSEST_VERSION="1.20.3")
    try:
        running.wait_until_ready()
        assert httpx.get(running.url, headers=old).json()["version"] == "1.20.3"
        assert running.stop() == 0
    finally:
        running.process.kill()
        running.process.wait()
