"""What columns mean, by what is said of them."""

from __future__ import annotations

import pytest

from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.mapping import Mapping, Wished, resolve

COLUMNS = ["id", "v", "w", "a=b", "x,y", "t"]


def test_what_nobody_says() -> None:
    assert resolve(Wished(), COLUMNS, ["v"]) == Mapping("id", {"v": ""}, ("w", "a=b", "x,y", "t"))
    assert resolve(Wished(), ["v"], ["v"]) == Mapping(None, {"v": ""}, ())
    assert Wished().is_empty and not Wished(id="id").is_empty


def test_names_with_signs_are_columns_first() -> None:
    wished = Wished(vectors=("a=b", "v=цвет=m", "w="), payload=("x,y", "id,t"), id="t")
    with pytest.raises(WrongUse, match="'t' is given two meanings"):
        resolve(wished, COLUMNS)
    wished = Wished(vectors=("a=b", "v=цвет=m", "w="), payload=("x,y", "t"))
    mapping = resolve(wished, COLUMNS)
    assert mapping.vectors == {"a=b": "a=b", "v": "цвет=m", "w": ""}
    assert mapping.payload == ("x,y", "t")


def test_one_vector_has_no_name_unless_it_is_given_one() -> None:
    assert resolve(Wished(vectors=("v",)), COLUMNS).vectors == {"v": ""}
    assert resolve(Wished(vectors=("v=v",)), COLUMNS).vectors == {"v": "v"}
    assert resolve(Wished(vectors=("v", "w")), COLUMNS).vectors == {"v": "v", "w": "w"}


def test_payload_all_none_and_whole() -> None:
    assert resolve(Wished(vectors=("v",), payload=("none",)), COLUMNS).payload == ()
    assert "w" in resolve(Wished(vectors=("v",), payload=("all",)), COLUMNS).payload
    whole = resolve(Wished(vectors=("v",), payload_json="t"), COLUMNS)
    assert (whole.payload, whole.payload_json) == ((), "t")


@pytest.mark.parametrize(
    ("wished", "why"),
    [
        (Wished(), "--vector COLUMN is needed: it may be 'v', 'w'"),
        (Wished(id="no"), "--id: no column 'no'"),
        (Wished(vectors=("no",)), "--vector: no column 'no'"),
        (Wished(vectors=("no=v",)), "--vector: no column 'no'"),
        (Wished(vectors=("v=a", "w=a")), "the same vector"),
        (Wished(vectors=("v",), payload=("no,t",)), "--payload: no column 'no'"),
        (Wished(vectors=("id",)), "'id' is given two meanings"),
        (Wished(vectors=("v",), payload=("t",), payload_json="t"), "expected one of them"),
    ],
)
def test_what_is_wrong_is_named(wished: Wished, why: str) -> None:
    with pytest.raises(WrongUse, match=why):
        resolve(wished, COLUMNS, ["v", "w"])


def test_no_column_looks_like_a_vector() -> None:
    with pytest.raises(WrongUse, match="there are 'a', 'b'"):
        resolve(Wished(), ["a", "b"], [])
