"""`/docs`: a page of our own files under a strict policy, with examples that run."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from palimpsest.app.routes.docs import SERVED
from tests.api.served import Server, serving

# of the release that app/swagger/README.md names
CHECKSUMS = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}


def test_the_page_and_its_parts_come_from_the_server(http: httpx.Client) -> None:
    page = http.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert set(named) == {*(f"/docs/{name}" for name in SERVED), "/openapi.json"}
    assert "<script>" not in page.text  # none within the page, so that none may be put there
    for path in named:
        part = http.get(path)
        assert part.status_code == 200
        assert part.headers["x-content-type-options"] == "nosniff"
        assert part.headers["content-type"].startswith(SERVED.get(path[6:], "application/json"))
        plain = http.get(path, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == part.content
    assert http.get("/docs/").text == page.text
    assert http.head("/docs/start.js").status_code == 200


def test_the_page_may_load_from_the_server_alone(http: httpx.Client) -> None:
    policies = http.get("/docs").headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "script-src 'self';" in policies[0]
    assert "frame-ancestors 'none'" in policies[0]
    for allowed in ("http:", "https:", "*", "unsafe-eval"):
        assert allowed not in policies[0]
    start = http.get("/docs/start.js").text
    assert "http" not in start
    assert "validatorUrl: null" in start


def test_the_parts_are_those_that_were_released(http: httpx.Client) -> None:
    for name, checksum in CHECKSUMS.items():
        assert hashlib.sha256(http.get(f"/docs/{name}").content).hexdigest() == checksum
    folder = files("app") / "swagger"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "SmartBear" in (folder / "NOTICE").read_text()


def test_nothing_else_is_served_beside_them(http: httpx.Client) -> None:
    for name in (
        "page.html",
        "LICENSE",
        "README.md",
        "",
        "%2e%2e%2fmain.py",
        "start.js/",
        "START.JS",
    ):
        status = http.get(f"/docs/{name}").status_code
        assert status == (200 if name in ("", "start.js/") else 404), name


def test_every_operation_has_an_example_that_runs(tmp_path: Path) -> None:
    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        document = client.get("/openapi.json").json()
        calls = sorted(
            (operation["x-example-number"], method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        )
        assert [number for number, *_ in calls] == list(range(1, len(calls) + 1))
        for number, method, path, operation in calls:
            assert f"Example {number} of {len(calls)}" in operation["description"]
            carry_out(client, method, path, operation)
        assert client.get("/collections").json()["result"]["collections"] == []


def carry_out(client: httpx.Client, method: str, path: str, operation: dict[str, Any]) -> None:
    """Send the example of an operation, as one who reads the document would."""
    if "snapshot" in path:
        operation = named(client, path.partition("/{snapshot")[0], operation)
    query: dict[str, Any] = {}
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        assert "example" in parameter or not parameter.get("required"), (path, name)
        if "example" not in parameter:
            continue
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(str(parameter["example"]), safe=""))
        else:
            query[name] = parameter["example"]
    body = None
    if path.endswith("/upload"):
        held = client.get(path.removesuffix("/upload")).json()["result"][0]["name"]
        file = client.get(path.replace("upload", held)).content
        assert client.post(path, files={"snapshot": file}).status_code == 200
        return
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert "example" in content, (path, "has no example")
        body = content["example"]
    reply = client.request(method, path, params=query, json=body)
    assert reply.status_code == 200, (method, path, reply.text)


def named(client: httpx.Client, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Return an operation whose examples name the snapshot that there is."""
    path = path.replace("{collection_name}", "pets")
    for end in ("/recover", "/upload"):
        path = path.removesuffix(end)
    pattern = r'"(pets|full-snapshot)-[^"]*[.]snapshot"'
    for one in client.get(path).json()["result"]:
        text = re.sub(pattern, json.dumps(one["name"]), json.dumps(operation))
        operation = json.loads(text)
    return operation


def test_the_page_asks_for_a_key_where_there_is_one(tmp_path: Path) -> None:
    running = Server(tmp_path, PALIMPSEST_API_KEY="a-key-of-some-length")
    try:
        running.wait_until_ready()
        for path in ("/docs", "/docs/start.js"):
            assert httpx.get(running.url + path).status_code == 401
            headers = {"api-key": "a-key-of-some-length"}
            assert httpx.get(running.url + path, headers=headers).status_code == 200
    finally:
        running.process.kill()
        running.process.wait()
