"""Keys are read whole or not at all, and no text shows one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app.access.keys import KeyRing, key_id, read_keys, signatures
from palimpsest.app.access.rights import Level
from palimpsest.app.settings import Misconfigured, Settings

KEY, OTHER = "k" * 24, "o" * 24


def test_every_line_is_a_key_with_the_rights_of_its_variable() -> None:
    ring = read_keys(Settings(api_key=f"{KEY}\n\n {OTHER}\r\n", read_only_api_key="r" * 24))
    assert [len(ring.keys), len(ring.signing())] == [3, 2]
    for secret, level in ((KEY, Level.MANAGE), (OTHER, Level.MANAGE), ("r" * 24, Level.READ)):
        access = ring.find(secret.encode())
        assert access is not None
        assert access.everywhere is level


@pytest.mark.parametrize("secret", ["", KEY[:-1], KEY + "k", KEY.upper(), f"{KEY}\n{OTHER}", "é"])
def test_what_is_not_a_key_as_a_whole_finds_nothing(secret: str) -> None:
    assert read_keys(Settings(api_key=f"{KEY}\n{OTHER}")).find(secret.encode()) is None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"api_key_file": Path("/dev/null")}, "PALIMPSEST_API_KEY_FILE: /dev/null is not a"),
        ({"api_key": f"{KEY}\nse cret"}, "PALIMPSEST_API_KEY: line 2"),
        ({"api_key": "sécret-of-many-characters"}, "PALIMPSEST_API_KEY: line 1"),
        ({"api_key": "\x7fsecret"}, "PALIMPSEST_API_KEY: line 1"),
        ({"api_key": KEY, "read_only_api_key": f"{OTHER}\n{KEY}"}, "hold the same key"),
        ({"api_key": KEY, "api_key_file": Path("f")}, "both PALIMPSEST_API_KEY and"),
        ({"api_key_file": Path("/nowhere/at/all")}, "PALIMPSEST_API_KEY_FILE: /nowhere/at/all"),
        ({"read_only_api_key_file": Path("/")}, "PALIMPSEST_READ_ONLY_API_KEY_FILE: / cannot be"),
    ],
)
def test_what_is_no_key_is_an_error_that_names_the_variable_and_shows_nothing(
    settings: dict[str, object], named: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_keys(Settings(**settings))  # type: ignore[arg-type]
    assert named in str(caught.value)
    for secret in (KEY, "cret", "\x7f"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", " \r\n\t\n"])
def test_a_file_without_a_key_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(Misconfigured, match="PALIMPSEST_API_KEY_FILE holds no key"):
        read_keys(Settings(api_key_file=tmp_path / "keys"))


def test_a_pipe_that_nobody_writes_to_does_not_hold_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Misconfigured, match="not a regular file"):
        read_keys(Settings(api_key_file=tmp_path / "pipe"))


def test_a_file_is_seen_to_become_readable(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    file.chmod(0o000)
    before = signatures([file])
    file.chmod(0o600)
    assert signatures([file]) != before


def test_a_file_is_seen_to_change_through_links(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "keys").write_text(KEY)
    (tmp_path / "now").symlink_to("a")
    file = tmp_path / "now" / "keys"
    before = signatures([file])
    assert signatures([file]) == before
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").rename(tmp_path / "now")
    assert signatures([file]) != before
    assert signatures([tmp_path / "gone"]) == (None,)


def test_no_representation_shows_a_key() -> None:
    settings = Settings(api_key=KEY, read_only_api_key=OTHER)
    ring = read_keys(settings)
    for shown in (repr(settings), str(settings), repr(ring), str(ring.keys[0])):
        assert KEY not in shown
        assert OTHER not in shown


def test_the_id_of_a_key_is_its_own_and_stays() -> None:
    assert key_id("full", KEY.encode()) == key_id("full", KEY.encode())
    assert key_id("full", KEY.encode()) != key_id("full", OTHER.encode())
    assert key_id("full", KEY.encode()).startswith("full-")


@given(st.binary(max_size=40))
def test_a_ring_without_keys_finds_nothing(secret: bytes) -> None:
    assert KeyRing().find(secret) is None


VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)


@pytest.fixture(scope="module", autouse=True)
def quick_ids() -> object:
    """Deriving ids is slow by design, and not what these tests are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "palimpsest.app.access.keys.hashlib.scrypt", lambda secret, **_: secret[:1] * 4
        )
        key_id.cache_clear()
        yield
    key_id.cache_clear()


@given(st.lists(VISIBLE, min_size=1, max_size=5), VISIBLE)
def test_a_ring_finds_its_keys_and_no_other(keys: list[str], other: str) -> None:
    ring = read_keys(Settings(api_key="\n".join(keys)))
    assert all(ring.find(key.encode()) is not None for key in keys)
    assert (ring.find(other.encode()) is not None) == (other in keys)
