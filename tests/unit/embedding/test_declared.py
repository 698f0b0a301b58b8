"""What an operator declares is read whole, or refused by name before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.embedding.declared import Local, Remote, read_declared, read_key
from palimpsest.app.settings import Misconfigured

REMOTE = 'url = "https://models.example.org/v1"\nmodel = "m"\nsize = 8\n'


def read(tmp_path: Path, text: str) -> dict[str, Remote | Local]:
    file = tmp_path / "embedders.toml"
    file.write_text(text, "utf-8")
    return read_declared(file)


def test_a_whole_file(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f'[embedders."größe/v1.5"]\n{REMOTE}key_env = "K"\nquery_prefix = "query: "\n'
        'encoding = "base64"\ntimeout = 5\nca = "/etc/ca.pem"\n'
        '[embedders.here]\nfolder = "/models/m"\nsize = 384\npooling = "cls"\n',
    )
    remote, local = found["größe/v1.5"], found["here"]
    assert isinstance(remote, Remote) and isinstance(local, Local)
    assert (remote.key_env, remote.query_prefix, remote.timeout) == ("K", "query: ", 5.0)
    assert remote.ca == Path("/etc/ca.pem") and local.folder == Path("/models/m")
    assert (remote.batch, remote.concurrency, remote.retries) == (32, 4, 3)
    assert read(tmp_path, "") == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[embedders", "cannot be read"),
        ("[embedder.a]\nx = 1", "'embedder'"),
        ("embedders = 3", "`embedders` that is no table"),
        ("embedders.a = 3", "either `url` or `folder`"),
        (f'[embedders.a]\n{REMOTE}folder = "x"', "either `url` or `folder`"),
        ("[embedders.a]\nsize = 8", "either `url` or `folder`"),
        (f"[embedders.a]\n{REMOTE}api_key = 'secret'", "unknown field `api_key`"),
        (f"[embedders.a]\n{REMOTE}batch = 0", "`int` >= 1"),
        (f"[embedders.a]\n{REMOTE}encoding = 'int8'", "'int8'"),
        (f"[embedders.a]\n{REMOTE}ca = 3", "ca"),
        (f"[embedders.'Qdrant/BM25']\n{REMOTE}", "that of the server's own"),
        (f"[embedders.'']\n{REMOTE}", "the name is empty"),
        (f"[embedders.{'a' * 256}]\n{REMOTE}", "too long"),
        ("[embedders.a]\nurl = 'ftp://x/v1'\nmodel = 'm'\nsize = 1", "http:// or https://"),
        ("[embedders.a]\nurl = 'https://'\nmodel = 'm'\nsize = 1", "http:// or https://"),
        ("[embedders.a]\nurl = 'https://x:y@h/v1'\nmodel = 'm'\nsize = 1", "`key_env`"),
        ("[embedders.a]\nurl = 'https://h/v1?key=k'\nmodel = 'm'\nsize = 1", "end with its path"),
        ("[embedders.a]\nurl = 'https://h:99999/v1'\nmodel = 'm'\nsize = 1", "cannot be read"),
        ("[embedders.a]\nurl = 'https://h/v1'\nmodel = 'm'\nsize = 70000", "65536"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        read(tmp_path, text)
    assert told in str(raised.value)
    assert str(raised.value).startswith("PALIMPSEST_EMBEDDERS: ")
    assert "secret" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="none.toml: it cannot be read"):
        read_declared(tmp_path / "none.toml")


def test_keys_come_from_the_environment(tmp_path: Path) -> None:
    declared = read(tmp_path, f"[embedders.a]\n{REMOTE}key_env = 'K'\n[embedders.b]\n{REMOTE}")
    a, b = declared["a"], declared["b"]
    assert isinstance(a, Remote) and isinstance(b, Remote)
    assert read_key("a", a, {"K": " sk-1\n"}) == "sk-1"
    assert read_key("b", b, {}) is None
    for wrong in ({}, {"K": ""}, {"K": "two words"}, {"K": "schlüssel"}, {"K": "a\r\nb: c"}):
        with pytest.raises(Misconfigured, match="variable K") as raised:
            read_key("a", a, wrong)
        assert not any(value and value in str(raised.value) for value in wrong.values())
