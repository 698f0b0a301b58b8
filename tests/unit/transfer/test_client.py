"""Calls of a server: what is tried again, what is waited for, and what is told of a failure."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Timer

import pytest
from trustme import CA

from palimpsest.app.transfer.client import Address, Client, checked_url, collection_path
from palimpsest.app.transfer.errors import Refused, TransferError, Unreachable, WrongUse
from tests.unit.transfer.scripted import Answer, scripted


def test_the_key_goes_along_and_is_never_shown() -> None:
    with scripted([Answer(body=3)]) as server:
        address = Address(server.url + "/", "s3cret")
        with Client(address) as client:
            assert client.get("/x") == 3
    assert server.got[0].headers["api-key"] == "s3cret"
    assert server.got[0].path == "/x"
    assert "s3cret" not in repr(address)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_call_that_may_be_repeated_is_made_again(status: int) -> None:
    with scripted([Answer(status, "full", {"retry-after": "0"}), Answer(body="done")]) as server:
        with Client(Address(server.url)) as client:
            assert client.call("PUT", "/x", {"a": 1}, repeats=True) == "done"
    assert [one.body for one in server.got] == [b'{"a":1}'] * 2


def test_retry_after_is_waited_for() -> None:
    with scripted([Answer(429, "full", {"retry-after": "1"}), Answer()]) as server:
        with Client(Address(server.url)) as client:
            begun = time.monotonic()
            client.call("PUT", "/x", repeats=True)
            assert time.monotonic() - begun >= 1


def test_a_call_that_hung_up_is_made_again_only_where_it_may_be() -> None:
    answers = [Answer(), Answer(None), Answer(body="done"), Answer(None), Answer()]
    with scripted(answers) as server:
        with Client(Address(server.url)) as client:
            client.get("/x")
            assert client.call("PUT", "/x", repeats=True) == "done"
            with pytest.raises(Unreachable, match="POST .*/y"):
                client.call("POST", "/y")
    assert len(server.got) == 4


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    begun = time.monotonic()
    with Client(Address("http://127.0.0.1:9")) as client:  # the discard port
        with pytest.raises(Unreachable, match="GET http://127.0.0.1:9/x: ConnectError"):
            client.get("/x")
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422, 500, 507])
def test_what_is_refused_is_told_at_once(status: int) -> None:
    with scripted([Answer(status, "it is wrong")]) as server:
        with (
            Client(Address(server.url)) as client,
            pytest.raises(Refused, match="it is wrong") as e,
        ):
            client.call("PUT", "/x", repeats=True)
    assert (e.value.status, len(server.got)) == (status, 1)


def test_patience_ends() -> None:
    with scripted([Answer(503, "being opened", {"retry-after": "5"})]) as server:
        with Client(Address(server.url), patience=0.5) as client:
            with pytest.raises(Unreachable, match="given up after 0 s: 503: being opened"):
                client.get("/x")


def test_waiting_ends_when_nobody_wants_the_rest() -> None:
    with scripted([Answer(503, "full", {"retry-after": "60"})]) as server:
        with Client(Address(server.url)) as client:
            Timer(0.05, client.stopping.set).start()
            with pytest.raises(Unreachable, match="stopped while waiting"):
                client.get("/x")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1]", b"\xff"])
def test_a_server_that_is_none_of_ours_is_told_of(body: bytes) -> None:
    with scripted([Answer(body=body)]) as server:
        with Client(Address(server.url)) as client:
            with pytest.raises(TransferError, match="expected an answer of a vector server"):
                client.get("/x")


def test_no_redirect_is_followed_with_the_key() -> None:
    with scripted([Answer(302, b"", {"location": "http://127.0.0.1:9/"})]) as server:
        with Client(Address(server.url, "key")) as client, pytest.raises(Refused, match="302"):
            client.get("/x")


@pytest.mark.parametrize("url", ["", "localhost", "ftp://a", "http://", "http://k@h", "http://[::"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(WrongUse, match="no address of a server"):
        checked_url(url)


def test_a_key_in_an_address_is_not_repeated() -> None:
    with pytest.raises(WrongUse) as error:
        checked_url("http://user:s3cret@host")
    assert "s3cret" not in str(error.value)


def test_any_name_is_one_part_of_a_path() -> None:
    assert collection_path("a/../b c?é", "points") == "/collections/a%2F..%2Fb%20c%3F%C3%A9/points"


def test_authorities_have_to_be_some(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    CA().cert_pem.write_to_path(file)
    with Client(Address("https://localhost:1", ca=file)):
        pass
    file.write_text("nothing")
    with pytest.raises(WrongUse, match="expected certificates"):
        Client(Address("https://localhost:1", ca=file))


def test_files_are_sent_and_fetched(tmp_path: Path) -> None:
    file = tmp_path / "ü.snapshot"
    file.write_bytes(b"\x00content")
    with scripted([Answer(body=True), Answer(body=b"streamed"), Answer(404, "none")]) as server:
        with Client(Address(server.url)) as client:
            assert client.upload("/up", "snapshot", file) is True
            with client.streamed("/down") as reply:
                assert reply.read() == b"streamed"
            with pytest.raises(Refused, match="none"), client.streamed("/down"):
                pass
            with pytest.raises(WrongUse, match="missing"):
                client.upload("/up", "snapshot", tmp_path / "missing")
    assert b"\x00content" in server.got[0].body
