"""Calls over HTTP, to a real server; ``tests/api/test_texts.py`` draws what else it does wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trustme

from palimpsest.app.embedding.declared import Remote
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.provider import Provider
from palimpsest.app.settings import Misconfigured
from tests.api.providing import SIZE, letters, providing


def remote(url: str, **more: object) -> Remote:
    return Remote(url=url, model="m", size=SIZE, timeout=2.0, **more)  # type: ignore[arg-type]


def embed(model: Provider, texts: list[str]) -> list[bytes]:
    async def story() -> list[bytes]:
        try:
            return list((await model.embed(texts)).vectors)
        finally:
            await model.close()

    return asyncio.run(story())


def test_what_is_sent() -> None:
    with providing() as server:
        found = embed(Provider("a", remote(server.url, encoding="base64"), "k1"), ["größe", "b"])
        assert [eval(each) for each in found] == [letters("größe"), letters("b")]
        assert server.calls == [
            {"model": "m", "input": ["größe", "b"], "encoding_format": "base64"}
        ]
        assert server.keys == ["Bearer k1"]


@pytest.mark.parametrize("before", [150, 190, 199, 230])
def test_no_part_of_a_key_is_repeated(before: int) -> None:
    key = "sk-0123456789-abcdefghij"
    said = ("." * before + key).encode()
    with providing() as server:
        server.failures.append((400, {}, said))
        with pytest.raises(EmbeddingFailed) as raised:
            embed(Provider("a", remote(server.url), key), ["a"])
    assert "sk-" not in raised.value.text and "..." in raised.value.text


def test_a_host_that_cannot_be_one() -> None:
    with pytest.raises(EmbeddingFailed, match="cannot be reached"):
        embed(Provider("a", remote(f"http://{'a' * 70}.example/v1"), None), ["a"])
    with pytest.raises(EmbeddingFailed, match="cannot be reached"):
        embed(Provider("a", remote("http://a.example/\0"), None), ["a"])


def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    own, other = trustme.CA(), trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    own.cert_pem.write_to_path(tmp_path / "own.pem")
    with providing(own.issue_cert("127.0.0.1")) as server:
        for declared in (remote(server.url), remote(server.url, ca=tmp_path / "other.pem")):
            with pytest.raises(EmbeddingFailed, match="cannot be reached.*CERTIFICATE") as raised:
                embed(Provider("a", declared, "k1"), ["a"])
            assert raised.value.again
        assert server.keys == []  # not even the key was sent
        trusted = remote(server.url, ca=tmp_path / "own.pem")
        assert len(embed(Provider("a", trusted, "k1"), ["a"])) == 1


def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="embedder 'a': `ca`"):
        Provider("a", remote("https://h/v1", ca=tmp_path / "none.pem"), None)
