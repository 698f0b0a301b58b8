"""Keys and tokens over the wire: who gets in, who does not, and what is said about it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from tests import forking
from tests.api.access import FULL, READ_ONLY, SETTINGS, client, rights, shown, token
from tests.api.replies import refused, result
from tests.api.served import Server, serving

MISSING = "Must provide an API key or an Authorization bearer token"
INVALID = "Invalid API key or JWT"
DOCS = {"vectors": {"size": 2, "distance": "Dot"}}
QUERY = {"query": [1.0, 0.0], "limit": 3}
WAIT_SECONDS = 20

_addresses = count(1)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with keys; collections `docs`, of two versions, and `secret`, and their aliases."""
    with serving(tmp_path_factory.mktemp("guarded"), **SETTINGS) as running:
        with client(running.url, FULL) as full:
            for name in ("docs", "secret"):
                result(full.put(f"/collections/{name}", json=DOCS))
                points = [{"id": n, "vector": [n, 1], "payload": {"n": n}} for n in range(5)]
                result(full.put(f"/collections/{name}/points", json={"points": points}))
                result(full.put(f"/collections/{name}/versions/v2", json={"size": 3}))
            actions = [
                {"create_alias": {"collection_name": name, "alias_name": alias}}
                for name, alias in (("docs", "pages"), ("secret", "hidden"))
            ]
            result(full.post("/collections/aliases", json={"actions": actions}))
        yield running


@pytest.fixture(scope="module")
def full(guarded: Server) -> Iterator[httpx.Client]:
    with client(guarded.url, FULL) as made:
        yield made


@pytest.fixture(scope="module")
def reader(guarded: Server) -> Iterator[httpx.Client]:
    """Who may read `docs` alone."""
    with client(guarded.url, token(rights(docs="r"))) as made:
        yield made


@pytest.mark.parametrize(
    "headers",
    [
        {"api-key": FULL},
        {"api-key": READ_ONLY},
        {"authorization": f"Bearer {FULL}"},
        {"authorization": f"bearer {READ_ONLY}"},
        {"authorization": f"Bearer {token('r')}"},
        {"api-key": token("r")},
        {"api-key": FULL, "authorization": f"Bearer {FULL}"},
        {"api-key": FULL, "authorization": "Basic aW5mbzpvdGhlcg=="},
    ],
)
def test_whoever_shows_a_key_or_a_token_gets_in(guarded: Server, headers: dict[str, str]) -> None:
    url = f"{guarded.url}/collections/docs/points/query"
    assert len(result(httpx.post(url, json=QUERY, headers=headers))["points"]) == 3
    assert result(httpx.get(f"{guarded.url}/collections", headers=headers))


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ([], MISSING),
        ([("api-key", "")], MISSING),
        ([("authorization", FULL)], MISSING),
        ([("authorization", "Basic " + "eDp5")], MISSING),
        ([("cookie", f"api-key={FULL}")], MISSING),
        ([("api-key", "wrong")], INVALID),
        ([("api-key", FULL[:-1])], INVALID),
        ([("authorization", f"Bearer {FULL}x")], INVALID),
        ([("api-key", token("m", READ_ONLY))], INVALID),
        ([("api-key", token("m", "another-key-of-32-bytes-or-longer-still"))], INVALID),
        ([("api-key", FULL), ("api-key", FULL)], f"{INVALID}: header `api-key` is given twice"),
        ([("api-key", FULL), ("authorization", f"Bearer {READ_ONLY}")], INVALID),
        ([("api-key", token("m", exp=1))], f"{INVALID}: the token has expired"),
        ([("api-key", token("x"))], f"{INVALID}: claim `access`"),
    ],
)
def test_whoever_does_not_is_told_so_on_every_way(
    guarded: Server, headers: list[tuple[str, str]], text: str
) -> None:
    for method, path, body in (
        ("POST", "/collections/docs/points/query", QUERY),
        ("POST", "/collections/docs/points/count", {}),
        ("GET", "/collections/docs", None),
        ("DELETE", "/collections/docs", None),
        ("GET", "/nowhere", None),
        ("GET", "/docs", None),
        ("PUT", "/collections/docs/points", {"broken": 1}),
    ):
        if path == "/docs" and "Basic" in str(headers):
            continue
        # from an address of its own, where the few wrong keys of a minute are free
        with httpx.HTTPTransport(local_address=f"127.0.1.{next(_addresses)}") as way:
            request = httpx.Request(method, f"{guarded.url}{path}", json=body, headers=headers)
            reply = httpx.Client(transport=way).send(request)
        assert reply.status_code == 401
        assert reply.text.startswith(text)
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert FULL not in reply.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/livez", "/readyz", "/readyz/", "//"])
def test_probes_ask_for_nothing(guarded: Server, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert httpx.request(method, f"{guarded.url}{path}").status_code == 200
    assert httpx.get(f"{guarded.url}{path}", headers=shown("wrong")).status_code == 200
    assert httpx.post(f"{guarded.url}{path}").status_code == 401


@pytest.mark.parametrize("query", ["verbose", "verbose=1", "verbose=", "%76erbose", "a&verbose"])
def test_the_verbose_probe_asks_for_a_key(guarded: Server, query: str) -> None:
    url = f"{guarded.url}/readyz?{query}"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers=shown(token(rights(docs="m")))).status_code == 403
    assert httpx.get(url, headers=shown(READ_ONLY)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/collections/secret/"),
        ("GET", "/collections/secret//"),
        ("GET", "//collections/secret"),
        ("GET", "/collections//secret"),
        ("GET", "/%63ollections/secret"),
        ("GET", "/collections/%73ecret"),
        ("GET", "/Collections/secret"),
        ("GET", "/collections/docs/../secret"),
        ("GET", "/collections/docs%2F..%2Fsecret"),
        ("HEAD", "/collections/secret"),
        ("POST", "/collections/secret/points/query/"),
        ("POST", "/collections/%73ecret/points/query"),
        ("POST", "/collections/secret/points/%71uery"),
        ("POST", "/collections/docs/points/query/../../../secret/points/query"),
        ("POST", "/collections/secret/points/query?x=/collections/docs/points/query"),
        ("POST", "/collections/docs%2F..%2Fsecret/points/query"),
        ("GET", "/metrics/"),
        ("GET", "/METRICS"),
        ("GET", "/healthz/../metrics"),
        ("GET", "/readyz/../collections/secret"),
        ("GET", "/healthz%2F..%2Fmetrics"),
        ("GET", "/docs/../metrics"),
        ("GET", "/docs/..%2Fmetrics"),
    ],
)
def test_no_way_of_writing_a_path_leads_around_the_rights(
    guarded: Server, method: str, path: str
) -> None:
    """Sent as it is: clients would tidy it up."""
    for credential, statuses in ((None, {400, 401}), (token(rights(docs="m")), {400, 403, 404})):
        text = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in shown(credential).items())
        body = json.dumps(QUERY) if method == "POST" else ""
        text += f"content-length: {len(body)}\r\n\r\n{body}"
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=30) as sent:
            sent.sendall(text.encode())
            received = b"".join(iter(lambda: sent.recv(65536), b""))
        assert int(received.split()[1]) in statuses, received


LOOKUP = {"collection": "secret"}
BY_ID: dict[str, Any] = {"query": 1, "lookup_from": LOOKUP}
LOOKUPS: list[tuple[str, Any]] = [
    ("query", BY_ID),
    ("query", {"query": [1.0, 0.0], "lookup_from": LOOKUP}),
    ("query", {"prefetch": [{**BY_ID, "limit": 5}], "query": {"fusion": "rrf"}}),
    ("query", {"prefetch": {"prefetch": [{**BY_ID}], "query": [1, 0]}, "query": [0, 1]}),
    ("query", {"query": {"recommend": {"positive": [1]}}, "lookup_from": LOOKUP}),
    ("query/batch", {"searches": [QUERY, BY_ID]}),
    ("query/batch", {"searches": [{"prefetch": [BY_ID], "query": {"fusion": "dbsf"}}]}),
    ("query/groups", {**BY_ID, "group_by": "n"}),
    ("query/groups", {**QUERY, "group_by": "n", "with_lookup": "secret"}),
    ("query/groups", {**QUERY, "group_by": "n", "with_lookup": {"collection": "secret"}}),
    ("search/groups", {"vector": [1, 0], "limit": 2, "group_by": "n", "group_size": 1,
                       "with_lookup": "secret"}),
    ("recommend", {"positive": [1], "limit": 2, "lookup_from": LOOKUP}),
    ("recommend/batch", {"searches": [{"positive": [1], "limit": 2, "lookup_from": LOOKUP}]}),
    ("recommend/groups", {"positive": [1], "limit": 2, "group_by": "n", "group_size": 1,
                          "lookup_from": LOOKUP}),
    ("discover", {"target": 1, "limit": 2, "lookup_from": LOOKUP}),
    ("discover/batch", {"searches": [{"target": 1, "limit": 2, "lookup_from": LOOKUP}]}),
]  # fmt: skip


@pytest.mark.parametrize("name", ["secret", "hidden", "secret@v2", "nowhere"])
@pytest.mark.parametrize(("call", "body"), LOOKUPS)
def test_a_right_on_one_collection_looks_nothing_up_in_another(
    reader: httpx.Client, full: httpx.Client, call: str, body: Any, name: str
) -> None:
    asked = json.loads(json.dumps(body).replace("secret", name))
    url = f"/collections/docs/points/{call}"
    text = refused(reader.post(url, json=asked), 403)
    assert text == f"Forbidden: this needs `read` on collection `{name}`"
    assert full.post(url, json=asked).status_code != 403
    both = token(rights(docs="r", secret="r"))
    if name != "nowhere":
        assert reader.post(url, json=asked, headers=shown(both)).status_code != 403


@pytest.mark.parametrize("name", ["docs", "pages", "docs@v2", "pages@v2"])
def test_a_right_holds_under_every_name_of_its_collection(reader: httpx.Client, name: str) -> None:
    query = [1, 0, 0] if "@" in name else [1, 0]
    result(reader.post(f"/collections/{name}/points/query", json={"query": query}))
    result(reader.get(f"/collections/{name}"))
    result(reader.get(f"/collections/{name}/cluster"))
    for method, path in (("PUT", "points"), ("POST", "points/delete"), ("PUT", "index")):
        text = refused(reader.request(method, f"/collections/{name}/{path}", json={}), 403)
        assert text == f"Forbidden: this needs `write` on collection `{name}`"


@pytest.mark.parametrize("name", ["secret", "hidden", "secret@v2", "hidden@v2", "nowhere@v2", "x"])
def test_and_under_no_name_of_another(reader: httpx.Client, name: str) -> None:
    for path, body in (("points/query", QUERY), ("points/count", {}), ("facet", {"key": "n"})):
        refused(reader.post(f"/collections/{name}/{path}", json=body), 403)
    for path in ("", "/exists", "/aliases", "/versions", "/points/1"):
        refused(reader.get(f"/collections/{name}{path}"), 403)


def test_the_name_of_an_alias_gives_nothing_on_points(guarded: Server) -> None:
    with client(guarded.url, token(rights(hidden="m", pages="m"))) as holder:
        for name in ("hidden", "pages", "secret", "docs"):
            refused(holder.post(f"/collections/{name}/points/query", json=QUERY), 403)
            refused(holder.delete(f"/collections/{name}"), 403)
            refused(holder.put(f"/collections/{name}", json=DOCS), 403)


def test_lists_show_what_may_be_read(reader: httpx.Client, full: httpx.Client) -> None:
    assert result(reader.get("/collections"))["collections"] == [{"name": "docs"}]
    pages = [{"alias_name": "pages", "collection_name": "docs"}]
    assert result(reader.get("/aliases"))["aliases"] == pages
    assert result(reader.get("/collections/docs/aliases"))["aliases"] == pages
    assert len(result(full.get("/collections"))["collections"]) == 2
    assert len(result(full.get("/aliases"))["aliases"]) == 2


def creating(alias: str, collection: str) -> dict[str, Any]:
    return {"create_alias": {"collection_name": collection, "alias_name": alias}}


def renaming(old: str, new: str) -> dict[str, Any]:
    return {"rename_alias": {"old_alias_name": old, "new_alias_name": new}}


def deleting(alias: str) -> dict[str, Any]:
    return {"delete_alias": {"alias_name": alias}}


@pytest.mark.parametrize(
    ("held", "actions"),
    [
        ({"docs": "m"}, [creating("new", "docs")]),
        ({"new": "m"}, [creating("new", "docs")]),
        ({"docs": "rw", "new": "m"}, [creating("new", "docs")]),
        ({"docs": "m", "new": "m"}, [creating("new", "secret")]),
        ({"docs": "m", "new": "m"}, [creating("new", "hidden")]),
        ({"docs": "m", "new": "m"}, [creating("new", "secret@v2")]),
        ({"docs": "m", "new": "m"}, [creating("new", "nowhere")]),
        ({"docs": "m", "hidden": "m"}, [creating("hidden", "docs")]),
        ({"docs": "m", "secret": "m"}, [creating("hidden", "docs")]),
        ({"hidden": "m"}, [deleting("hidden")]),
        ({"secret": "m"}, [deleting("hidden")]),
        ({"docs": "m", "pages": "m"}, [renaming("pages", "new")]),
        ({"docs": "m", "pages": "m", "hidden": "m"}, [renaming("pages", "hidden")]),
        ({"new": "m", "hidden": "m"}, [renaming("hidden", "new")]),
        ({"docs": "m", "pages": "m", "new": "m"}, [renaming("pages", "new"), deleting("hidden")]),
        ({"docs": "m", "new": "m"}, [creating("new", "docs"), renaming("new", "hidden")]),
        ({"docs": "rw"}, []),
    ],
)
def test_aliases_are_changed_by_who_manages_both_ends_and_the_names(
    guarded: Server, full: httpx.Client, held: dict[str, str], actions: list[Any]
) -> None:
    before = result(full.get("/aliases"))
    with client(guarded.url, token(rights(**held))) as holder:
        text = refused(holder.post("/collections/aliases", json={"actions": actions}), 403)
    named = json.dumps(actions)
    assert "secret" not in text or "secret" in named
    assert result(full.get("/aliases")) == before


def test_what_is_made_or_dropped_asks_for_its_own_name(guarded: Server, full: httpx.Client) -> None:
    """An alias may mean another collection, or be one, by the time that it is."""
    with client(guarded.url, token(rights(docs="m"))) as holder:
        for name in ("pages", "docs@v2"):
            refused(holder.delete(f"/collections/{name}"), 403)
            body = {"vectors": {"size": 2, "distance": "Dot"}}
            refused(holder.put(f"/collections/{name}", json=body), 403)
    assert result(full.get("/collections/docs/exists"))["exists"]


def test_whoever_manages_both_ends_and_the_names_changes_aliases(guarded: Server) -> None:
    held = token(rights(docs="m", new="m", newer="m"))
    with client(guarded.url, held) as holder:
        for action in (creating("new", "docs"), renaming("new", "newer"), deleting("newer")):
            result(holder.post("/collections/aliases", json={"actions": [action]}))


def test_a_browser_is_asked_for_a_key_for_the_documentation_alone(guarded: Server) -> None:
    reply = httpx.get(f"{guarded.url}/docs")
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Basic ")
    for path in ("/docs", "/openapi.json"):
        for key in (READ_ONLY, FULL, token(rights(docs="r"))):
            assert httpx.get(f"{guarded.url}{path}", auth=("me", key)).status_code == 200
        assert httpx.get(f"{guarded.url}{path}", auth=("me", "wrong")).status_code == 401
        assert httpx.post(f"{guarded.url}{path}", auth=("me", FULL)).status_code == 401
    for path in ("/collections", "/metrics", "/collections/docs"):
        reply = httpx.get(f"{guarded.url}{path}", auth=("me", FULL))
        assert reply.status_code == 401
        assert not reply.headers["www-authenticate"].startswith("Basic ")


def test_a_token_holds_while_its_point_exists(guarded: Server, full: httpx.Client) -> None:
    user = {"points": [{"id": 77, "vector": [0, 0], "payload": {"user": "eve", "role": 2}}]}
    result(full.put("/collections/secret/points", json=user))
    matches = [{"key": "user", "value": "eve"}, {"key": "role", "value": 2}]
    holding = {"collection": "secret", "matches": matches}
    with client(guarded.url, token(rights(docs="r"), value_exists=holding)) as holder:
        url = "/collections/docs/points/query"
        for _ in range(2):
            result(holder.post(url, json=QUERY))
        refused(holder.get("/collections/secret"), 403)
        result(full.post("/collections/secret/points/delete", json={"points": [77]}))
        reply = holder.post(url, json=QUERY)
        assert reply.status_code == 401
        assert "value_exists" in reply.text
    for collection in ("nowhere", "secret@v9"):
        gone = {"collection": collection, "matches": matches}
        shows = shown(token("r", value_exists=gone))
        assert httpx.get(f"{guarded.url}/collections", headers=shows).status_code == 401


def test_without_jwt_rbac_a_token_is_a_wrong_key(tmp_path: Path) -> None:
    with serving(tmp_path, PALIMPSEST_API_KEY=FULL) as running:
        reply = httpx.get(f"{running.url}/collections", headers=shown(token("m")))
        assert (reply.status_code, reply.text) == (401, INVALID)


def test_the_document_says_how_a_key_is_shown(guarded: Server) -> None:
    document = httpx.get(f"{guarded.url}/openapi.json", headers=shown(READ_ONLY)).json()
    assert document["components"]["securitySchemes"].keys() == {"api-key", "bearer"}
    assert document["security"] == [{"api-key": []}, {"bearer": []}]
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert (
        "401"
        in document["paths"]["/collections/{collection_name}/points/query"]["post"]["responses"]
    )


def test_no_key_is_seen_anywhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "audit.log"
    settings = {**SETTINGS, "PALIMPSEST_AUDIT_LOG": str(log), "PALIMPSEST_LOG_LEVEL": "DEBUG"}
    with serving(tmp_path / "data", **settings) as running:
        seen = []
        for credential in (FULL, READ_ONLY, token("m"), f"{FULL}x"):
            headers = shown(credential)
            for path in (
                "/metrics",
                "/telemetry",
                "/openapi.json",
                "/collections",
                "/nowhere",
                "/",
            ):
                reply = httpx.get(f"{running.url}{path}", headers=headers)
                seen += [reply.text, str(reply.headers)]
        for name in ("cmdline", "comm"):
            seen.append(Path(f"/proc/{running.process.pid}/{name}").read_text())
    seen += [log.read_text(), *capfd.readouterr()]
    for text in seen:
        assert FULL not in text
        assert READ_ONLY not in text
        assert token("m") not in text


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def replaced(path: Path, text: str) -> None:
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)


@pytest.mark.parametrize("by_signal", [True, False])
def test_keys_are_replaced_without_a_restart(tmp_path: Path, by_signal: bool) -> None:
    file, new = tmp_path / "keys", "the-new-key-of-the-tests-0123456789"
    file.write_text(f"{FULL}\n")
    settings = {"PALIMPSEST_API_KEY_FILE": str(file), "PALIMPSEST_JWT_RBAC": "1"}
    with serving(tmp_path / "data", **settings) as running:

        def status(credential: str) -> int:
            reply = httpx.get(f"{running.url}/collections", headers=shown(credential))
            return reply.status_code

        def change(text: str) -> None:
            replaced(file, text)
            if by_signal:
                running.process.send_signal(signal.SIGHUP)

        assert (status(FULL), status(token("r")), status(new)) == (200, 200, 401)
        change(f"{FULL}\n{new}\n")
        until(lambda: status(new) == 200)
        assert (status(FULL), status(token("r")), status(token("r", new))) == (200, 200, 200)
        change(f"{new}\n")
        until(lambda: status(FULL) == 401)
        assert (status(token("r")), status(token("r", new))) == (401, 200)
        change("")

        def failed() -> bool:
            text = httpx.get(f"{running.url}/metrics", headers=shown(new)).text
            line = 'palimpsest_config_reloads_total{outcome="failed",part="keys"} '
            return f"{line}1.0" in text

        until(failed)
        assert (status(new), httpx.get(f"{running.url}/collections").status_code) == (200, 401)
        file.unlink()
        time.sleep(0.1)
        assert (status(new), httpx.get(f"{running.url}/collections").status_code) == (200, 401)


def test_wrong_keys_are_answered_late_and_a_valid_one_never_is(tmp_path: Path) -> None:
    with serving(tmp_path, PALIMPSEST_API_KEY=FULL) as running:
        with httpx.Client(base_url=running.url, timeout=30) as http:

            def seconds(credential: str | None) -> float:
                started = time.monotonic()
                http.get("/collections", headers=shown(credential))
                return time.monotonic() - started

            for _ in range(10):
                seconds("wrong")
            late = [seconds("wrong") for _ in range(4)]
            assert late[0] >= 0.09
            assert late[3] >= 0.35
            assert min(seconds(FULL) for _ in range(3)) < 0.09
            assert min(seconds(None) for _ in range(3)) < 0.09
            text = http.get("/metrics", headers=shown(FULL)).text
    assert 'palimpsest_auth_failures_total{reason="invalid_key"} 14.0' in text
    assert 'palimpsest_auth_failures_total{reason="missing"} 3.0' in text


def test_those_who_guess_take_no_room_from_others(tmp_path: Path) -> None:
    """Their replies wait, more of them than requests may be under way."""
    with serving(tmp_path, PALIMPSEST_API_KEY=FULL, PALIMPSEST_REQUEST_LIMIT="4") as running:
        head = b"GET /collections HTTP/1.1\r\nhost: localhost\r\napi-key: wrong\r\n\r\n"
        with ExitStack() as held:
            for _ in range(40):
                guess = socket.create_connection(("127.0.0.1", running.port), timeout=30)
                held.enter_context(guess).sendall(head)
            for _ in range(5):
                reply = httpx.get(f"{running.url}/collections", headers=shown(FULL))
                assert reply.status_code == 200


def test_a_key_that_sends_too_much_waits_and_no_other(tmp_path: Path) -> None:
    with serving(tmp_path, **SETTINGS, PALIMPSEST_RATE_LIMIT="5") as running:
        with client(running.url, READ_ONLY) as reader:
            replies = [reader.get("/collections") for _ in range(8)]
            assert [reply.status_code for reply in replies] == [200] * 5 + [429] * 3
            assert int(replies[-1].headers["retry-after"]) >= 1
            refused(reader.post("/collections/docs/points/query", json=QUERY), 429)
            assert reader.get("/healthz").status_code == 200
        with client(running.url, FULL) as full:
            text = full.get("/metrics").text
            assert 'palimpsest_rate_limited_total{kind="key"} 4.0' in text


def test_the_audit_log_says_who_did_what(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    with serving(tmp_path / "data", **SETTINGS, PALIMPSEST_AUDIT_LOG=str(log)) as running:
        with client(running.url, FULL) as full:
            result(full.put("/collections/docs", json=DOCS, headers={"x-request-id": "mine"}))
            result(full.post("/collections/docs/points/query?timeout=9", json=QUERY))
        alice = token(rights(docs="r"), sub="alice")
        with client(running.url, alice) as reader:
            refused(reader.delete("/collections/docs"), 403)
        httpx.get(f"{running.url}/metrics")
        httpx.get(f"{running.url}/livez")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    collection = "/collections/{collection_name}"
    assert [(one["method"], one["action"], one["collection"], one["status"]) for one in lines] == [
        ("PUT", collection, "docs", 200),
        ("POST", f"{collection}/points/query", "docs", 200),
        ("DELETE", collection, "docs", 403),
        ("GET", "unmatched", None, 401),
    ]
    assert lines[0]["key"].startswith("full-")
    assert lines[0]["key"] == lines[1]["key"]
    assert [one["key"] for one in lines[2:]] == ["token:alice", "unknown"]
    assert lines[0]["request_id"] == "mine"
    assert len({one["request_id"] for one in lines}) == len(lines)  # the others were given one
    assert "timeout" not in log.read_text()


def test_while_the_audit_log_cannot_be_written_requests_are_refused(tmp_path: Path) -> None:
    """A pipe that nobody empties takes no more, as a full disk would not."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with serving(tmp_path / "data", **SETTINGS, PALIMPSEST_AUDIT_LOG=str(pipe)) as running:
        with client(running.url, FULL) as full:
            statuses = []
            while 503 not in statuses:
                statuses.append(full.get("/collections").status_code)
                assert len(statuses) < 3_000
            refused(full.put("/collections/docs", json=DOCS), 503)
            assert full.get("/readyz").status_code == 200
            os.read(reading, 1 << 20)
            assert full.get("/collections").status_code == 200
            assert result(full.get("/collections"))["collections"] == []
        os.read(reading, 1 << 20)
    os.close(reading)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"PALIMPSEST_HOST": "0.0.0.0"}, "PALIMPSEST_INSECURE=1"),
        ({"PALIMPSEST_API_KEY": ""}, "PALIMPSEST_API_KEY"),
        ({"PALIMPSEST_API_KEY": "with space"}, "PALIMPSEST_API_KEY"),
        ({"PALIMPSEST_API_KEY": "k", "PALIMPSEST_API_KEY_FILE": "f"}, "PALIMPSEST_API_KEY_FILE"),
        ({"PALIMPSEST_API_KEY_FILE": "/nowhere"}, "PALIMPSEST_API_KEY_FILE"),
        ({"PALIMPSEST_READ_ONLY_API_KEY_FILE": "/nowhere"}, "PALIMPSEST_READ_ONLY_API_KEY_FILE"),
        ({"PALIMPSEST_JWT_RBAC": "1"}, "PALIMPSEST_JWT_RBAC"),
        ({"PALIMPSEST_AUDIT_LOG": "/nowhere/audit.log"}, "PALIMPSEST_AUDIT_LOG"),
    ],
)
def test_a_server_does_not_start_by_what_would_leave_it_open(
    tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    ended = forking.run("serve", "--port", "0", "--data", str(tmp_path), **settings)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "with space" not in ended.stderr
    assert logging.getLevelName(logging.ERROR) not in ended.stderr


def test_the_client_of_python_shows_its_key(guarded: Server) -> None:
    with pytest.warns(UserWarning, match="insecure connection"):
        made = QdrantClient(url=guarded.url, api_key=READ_ONLY)
    try:
        assert len(made.query_points("docs", query=[1.0, 0.0]).points) == 5
        with pytest.raises(UnexpectedResponse, match="403"):
            made.delete_collection("docs")
    finally:
        made.close()
