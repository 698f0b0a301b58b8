"""Which server a command speaks to, and by which key."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.app.commands.connection import KEY, KEY_FILE, address_of, key_of
from palimpsest.app.transfer.client import Address
from palimpsest.app.transfer.errors import WrongUse


def test_flags_before_the_environment() -> None:
    assert address_of(None, None, None, {}) == Address("http://127.0.0.1:6333")
    held = {"PALIMPSEST_URL": "https://a", "PALIMPSEST_API_KEY": "k", "PALIMPSEST_CA": "/ca"}
    assert address_of(None, None, None, held) == Address("https://a", "k", Path("/ca"))
    told = address_of("http://b", None, Path("/own"), held)
    assert told == Address("http://b", "k", Path("/own"))


def test_the_first_of_several_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\n  first  \nsecond\n")
    assert key_of(file, {KEY: "other"}, KEY, KEY_FILE) == "first"
    assert key_of(None, {KEY_FILE: str(file)}, KEY, KEY_FILE) == "first"
    assert key_of(None, {KEY: "a\nb", KEY_FILE: "/no"}, KEY, KEY_FILE) == "a"
    assert key_of(None, {}, KEY, KEY_FILE) is None


@pytest.mark.parametrize("text", ["", " \n", "sch\u00f6n", "\x01"])
def test_what_is_no_key_is_not_repeated(text: str) -> None:
    with pytest.raises(WrongUse, match="PALIMPSEST_API_KEY: expected a key") as error:
        key_of(None, {KEY: text}, KEY, KEY_FILE)
    assert "sch" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="expected a key: .*No such file"):
        key_of(tmp_path / "no", {}, KEY, KEY_FILE)
