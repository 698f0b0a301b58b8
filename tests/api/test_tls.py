"""https: the same server over TLS, with certificates that can be read again."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from palimpsest.app.settings import Misconfigured, Settings
from palimpsest.app.wire.tls import Certificates
from tests import forking
from tests.api.replies import refused, result
from tests.api.served import Server
from tests.api.test_protocol import request

NAMES = ("localhost", "127.0.0.1")
WAIT = 20.0  # seconds for what happens soon


class Files:
    """A certificate, its key and its authority in files."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.issue()

    def issue(self) -> None:
        """Write a new certificate of a new authority."""
        self.authority = trustme.CA()
        issued = self.authority.issue_cert(*NAMES)
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))

    def client(self, shown: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts the authority, and shows a certificate."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if shown is not None:
            shown.configure_cert(context)
        return context


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@contextmanager
def serving_tls(files: Files, context: ssl.SSLContext, **more: str) -> Iterator[tuple[Server, str]]:
    server = Server(
        files.cert.parent / "data",
        PALIMPSEST_TLS_CERT=str(files.cert),
        PALIMPSEST_TLS_KEY=str(files.key),
        **more,
    )
    url = f"https://localhost:{server.port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{url}/readyz", verify=context).status_code == 200:
                    break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                assert server.process.poll() is None
                time.sleep(0.05)
        yield server, url
        assert server.stop() == 0
    finally:
        server.process.kill()
        server.process.wait()


def test_both_ways_answer_over_tls(files: Files) -> None:
    with (
        serving_tls(files, files.client()) as (server, url),
        httpx.Client(base_url=url, verify=files.client()) as client,
    ):
        create = {"vectors": {"size": 3, "distance": "Dot"}}
        result(client.put("/collections/c", json=create))
        large = {"id": 1, "vector": [1, 2, 3], "payload": {"a": "x" * 3_000_000}}
        result(client.put("/collections/c/points?wait=true", json={"points": [large]}))
        for _ in range(3):
            found = result(client.post("/collections/c/points/query", json={"query": [1, 2, 3]}))
            assert [hit["id"] for hit in found["points"]] == [1]
        time.sleep(2)  # until the connection waits
        found = result(client.post("/collections/c/points/query", json={"query": [1, 2, 3]}))
        identity = {"accept-encoding": "identity"}
        reply = client.get("/collections/c/points/1", headers=identity)
        assert len(result(reply)["payload"]["a"]) == 3_000_000
        own = {"origin": url}
        assert client.get("/collections", headers=own).status_code == 200
        plain = {"origin": url.replace("https", "http")}
        refused(client.get("/collections", headers=plain), 403)
        assert client.get("/", headers={"host": "evil.example"}).status_code == 421
        query = b"POST /collections/c/points/query HTTP/1.1\r\nhost: localhost\r\n"
        query += b'content-length: 17\r\n\r\n{"query":[1,2,3]}'
        with connected(server, files.client()) as connection:
            connection.sendall(query * 20)
            received = b""
            while received.count(b'"status":"ok"') < 20:
                received += connection.recv(65_536)
        with connected(server, files.client()) as connection:
            connection.sendall(b"GET / HTTP/9.9\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
        assert "palimpsest_connections{" in client.get("/metrics").text


@contextmanager
def connected(server: Server, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            yield connection


def test_old_versions_and_plain_text_are_not_spoken(files: Files) -> None:
    with serving_tls(files, files.client(), PALIMPSEST_HEAD_TIMEOUT="1") as (server, url):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert b"200" not in connection.recv(65_536)
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            started = time.monotonic()
            try:
                assert connection.recv(65_536) == b""  # nothing was sent: ended in time
            except ConnectionResetError:
                pass
            assert time.monotonic() - started < WAIT
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = files.client()
            context.minimum_version = context.maximum_version = version
            assert httpx.get(url, verify=context).status_code == 200
        metrics = httpx.get(f"{url}/metrics", verify=files.client()).text
        assert 'palimpsest_connections_ended_total{reason="handshake"} 2.0' in metrics


def test_certificates_are_read_again(files: Files) -> None:
    old = files.client()
    with (
        serving_tls(files, old) as (server, url),
        httpx.Client(base_url=url, verify=old) as kept,
    ):
        assert kept.get("/").status_code == 200
        files.issue()
        whole = files.key.read_bytes()
        files.key.write_bytes(b"not a key")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads(url, old, "failed") == 1)  # by a new connection: the old holds
        files.key.write_bytes(whole)
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: is_trusted(url, files.client()))
        assert not is_trusted(url, old)
        assert reloads(url, files.client(), "ok") == 1
        assert kept.get("/").status_code == 200  # connections that were made go on


def reloads(url: str, context: ssl.SSLContext, outcome: str) -> int:
    series = f'palimpsest_config_reloads_total{{outcome="{outcome}",part="certificates"}} '
    other = f'palimpsest_config_reloads_total{{part="certificates",outcome="{outcome}"}} '
    for line in httpx.get(f"{url}/metrics", verify=context).text.splitlines():
        if line.startswith((series, other)):
            return int(float(line.rpartition(" ")[2]))
    raise AssertionError("not counted")


def is_trusted(url: str, context: ssl.SSLContext) -> bool:
    try:
        return httpx.get(url, verify=context).status_code == 200
    except httpx.ConnectError:
        return False


def wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_clients_show_a_certificate_where_asked(files: Files) -> None:
    clients, strangers = trustme.CA(), trustme.CA()
    trusted = files.cert.parent / "clients.pem"
    clients.cert_pem.write_to_path(str(trusted))
    shown = files.client(clients.issue_cert("a.example"))
    more = {"PALIMPSEST_TLS_CLIENT_CA": str(trusted)}
    with serving_tls(files, shown, **more) as (server, url):
        assert httpx.get(url, verify=shown).status_code == 200
        stranger = files.client(strangers.issue_cert("a.example"))
        for context in (files.client(), stranger):
            with pytest.raises((httpx.TransportError, ssl.SSLError)):
                httpx.get(url, verify=context)
        strangers.cert_pem.write_to_path(str(trusted))
        server.process.send_signal(signal.SIGHUP)

        def is_taken() -> bool:
            try:
                return httpx.get(url, verify=stranger).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(is_taken)
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            httpx.get(url, verify=shown)  # its authority is trusted no more


def test_what_cannot_be_used_is_named_at_start(files: Files, tmp_path: Path) -> None:
    other = Files(_made(tmp_path / "other"))
    missing = tmp_path / "missing.pem"
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for cert, key, client_ca, text in (
        (files.cert, None, None, "belong together"),
        (None, files.key, None, "belong together"),
        (None, None, files.cert, "belong together"),
        (missing, files.key, None, f"PALIMPSEST_TLS_CERT: {missing} cannot be read"),
        (files.cert, missing, None, f"PALIMPSEST_TLS_KEY: {missing} cannot be read"),
        (files.cert, tmp_path, None, "cannot be read"),
        (files.cert, other.key, None, "no certificate and its private key"),
        (files.cert, empty, None, "no certificate and its private key"),
        (files.key, files.key, None, "no certificate and its private key"),
        (files.cert, files.key, missing, f"PALIMPSEST_TLS_CLIENT_CA: {missing}"),
        (files.cert, files.key, empty, "holds no certificates"),
    ):
        with pytest.raises(Misconfigured, match=text):
            Certificates.of(Settings(tls_cert=cert, tls_key=key, tls_client_ca=client_ca))
    assert Certificates.of(Settings()) is None


def test_a_server_does_not_start_without_its_certificate(files: Files, tmp_path: Path) -> None:
    flags = ("--port", "0", "--data", str(tmp_path / "data"), "--tls-cert", str(files.cert))
    ended = forking.run("serve", *flags)
    assert ended.returncode == 2
    assert "PALIMPSEST_TLS_KEY" in ended.stderr
    assert "Traceback" not in ended.stderr


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_query_that_comes_with_the_end_of_its_connection_is_answered(files: Files) -> None:
    """The end of a connection is told within it, so that both may be read at once."""
    target = "/collections/docs"
    query = request(f"{target}/points/query", b'{"query":[1,2],"limit":1}')
    context = files.client()
    with serving_tls(files, context) as (server, url):
        with httpx.Client(base_url=url, verify=context) as http:
            result(http.put(target, json={"vectors": {"size": 2, "distance": "Dot"}}))
            result(
                http.put(
                    f"{target}/points?wait=true", json={"points": [{"id": 7, "vector": [1, 2]}]}
                )
            )
        for _ in range(2):  # the second time its head is known
            clients = [Bare(server.port, context) for _ in range(4)]
            for client in clients:
                client.send_and_end(query)
            for client in clients:
                assert b'"id":7' in client.rest()


class Bare:
    """A connection whose bytes are in the client's hands."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._received, self._written = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._written, server_hostname="localhost")
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._socket.sendall(self._written.read())
                self._received.write(self._socket.recv(65_536))
        self._socket.sendall(self._written.read())

    def send_and_end(self, text: bytes) -> None:
        """Send a text and the end of the connection in one piece."""
        self._tls.write(text)
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._socket.sendall(self._written.read())

    def rest(self) -> bytes:
        """Return what comes until the other side ends."""
        while part := self._socket.recv(65_536):
            self._received.write(part)
        self._socket.close()
        found = b""
        with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLWantReadError):
            while part := self._tls.read(65_536):
                found += part
        return found
