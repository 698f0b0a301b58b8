"""The health check of the image asks the right address, and says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.served import free_port, serving
from tests.api.test_tls import Files, serving_tls


def probe(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "palimpsest.app.health.probe"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_ready_server_needs_no_key_to_say_so(host: str, tmp_path: Path) -> None:
    given = {"PALIMPSEST_API_KEY": "k" * 32, "PALIMPSEST_HOST": host}
    with serving(tmp_path, **given) as server:
        done = probe(PALIMPSEST_PORT=str(server.port), PALIMPSEST_HOST=host)
    assert (done.returncode, done.stdout) == (0, "all shards are ready\n")


@pytest.mark.parametrize("asks_clients", [False, True])
def test_a_server_over_tls(asks_clients: bool, tmp_path: Path) -> None:
    files = Files(tmp_path)
    given = {"PALIMPSEST_TLS_CERT": str(files.cert), "PALIMPSEST_TLS_KEY": str(files.key)}
    more = {}
    if asks_clients:  # the server's own certificate is of an authority that it trusts
        files.authority.cert_pem.write_to_path(str(tmp_path / "clients.pem"))
        more["PALIMPSEST_TLS_CLIENT_CA"] = str(tmp_path / "clients.pem")
    shown = files.client(files.authority.issue_cert("a.example"))
    with serving_tls(files, shown, **more) as (server, _):
        done = probe(PALIMPSEST_PORT=str(server.port), **given, **more)
    assert (done.returncode, done.stdout) == (0, "all shards are ready\n"), done.stderr


def test_a_server_that_drains_is_not_ready(tmp_path: Path) -> None:
    with serving(tmp_path, PALIMPSEST_DRAIN_SECONDS="600") as server:
        server.process.terminate()
        while (done := probe(PALIMPSEST_PORT=str(server.port))).returncode == 0:
            pass
        server.process.terminate()
        server.process.wait(60)
        server.process.returncode = 0  # which `serving` asks for
    assert "not ready: the server was asked to stop" in done.stderr


def test_a_server_that_is_not_there() -> None:
    done = probe(PALIMPSEST_PORT=str(free_port()))
    assert done.returncode == 1
    assert "does not answer" in done.stderr and "Traceback" not in done.stderr


def test_it_imports_nothing_of_the_server() -> None:
    code = "import sys, app.health.probe; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "fastapi", "pydantic", "index"} & set(done.stdout.split())
