"""Which column of a table is the id, which are vectors and which are payload."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from palimpsest.app.transfer.errors import WrongUse

ALL, NONE = "all", "none"
ID = "id"  # the column that holds ids where nothing is said


@dataclass(frozen=True, slots=True)
class Wished:
    """What the command line says of columns; None and nothing where it says nothing.

    Attributes:
        id: the column of ids.
        vectors: ``COLUMN`` or ``COLUMN=NAME``.
        payload: names of columns, several of them split by commas, ``all`` or ``none``.
        payload_json: the column of text that holds each payload whole, as JSON.
    """

    id: str | None = None
    vectors: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()
    payload_json: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is remembered beside how far an import is."""
        return {
            "id": self.id,
            "vectors": list(self.vectors),
            "payload": list(self.payload),
            "payload_json": self.payload_json,
        }

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is said."""
        return self == Wished()


@dataclass(frozen=True, slots=True)
class Mapping:
    """What each column means; without ``id`` ids are consecutive."""

    id: str | None
    vectors: dict[str, str]  # column -> vector name
    payload: tuple[str, ...]
    payload_json: str | None = None


def resolve(wished: Wished, columns: Collection[str], vectors: Sequence[str] = ()) -> Mapping:
    """Return what each of these columns means.

    Args:
        wished: what is said of them.
        columns: all there are.
        vectors: those that look like vectors; where nothing is said and there is one, it is it.

    Raises:
        WrongUse: a column that is named does not exist, or means two things, or none is a vector.
    """
    chosen_id = wished.id if wished.id is not None else (ID if ID in columns else None)
    if chosen_id is not None:
        _require(chosen_id, columns, "--id")
    named = _vectors(wished.vectors, columns, [each for each in vectors if each != chosen_id])
    if wished.payload_json is not None:
        _require(wished.payload_json, columns, "--payload-json")
        if wished.payload:
            raise WrongUse("--payload and --payload-json: expected one of them")
    payload = () if wished.payload_json else _payload(wished.payload, columns, chosen_id, named)
    held = [*named, *payload, *filter(None, [chosen_id, wished.payload_json])]
    for column in held:
        if held.count(column) > 1:
            raise WrongUse(f"column {column!r} is given two meanings: expected one")
    return Mapping(chosen_id, named, payload, wished.payload_json)


def _vectors(
    wished: Sequence[str], columns: Collection[str], looking_so: Sequence[str]
) -> dict[str, str]:
    if not wished:
        if len(looking_so) != 1:
            shown = ", ".join(map(repr, looking_so or columns))
            raise WrongUse(
                f"--vector COLUMN is needed: {'it may be' if looking_so else 'there are'} {shown}"
            )
        return {looking_so[0]: ""}
    found: dict[str, str] = {}
    for text in wished:
        column, equals, name = _split(text, columns)
        _require(column, columns, "--vector")
        found[column] = name if equals or len(wished) == 1 else column
    if len({*found.values()}) < len(wished):
        raise WrongUse(f"--vector: two columns are the same vector: {', '.join(wished)}")
    return found


def _split(text: str, columns: Collection[str]) -> tuple[str, str, str]:
    """Return column, equals sign and name: names of columns may have equals signs themselves."""
    signs = [at for at, sign in enumerate(text) if sign == "="]
    for at in [len(text), *signs]:
        if text[:at] in columns:
            return text[:at], text[at : at + 1], text[at + 1 :]
    return text.partition("=")


def _payload(
    wished: Sequence[str], columns: Collection[str], id_column: str | None, vectors: dict[str, str]
) -> tuple[str, ...]:
    others = tuple(each for each in columns if each != id_column and each not in vectors)
    if not wished or [*wished] == [ALL]:
        return others
    if [*wished] == [NONE]:
        return ()
    found: list[str] = []
    for text in wished:
        found += [text] if text in columns else text.split(",")
    for column in found:
        _require(column, columns, "--payload")
    return tuple(found)


def _require(column: str, columns: Collection[str], flag: str) -> None:
    if column not in columns:
        raise WrongUse(f"{flag}: no column {column!r}: there are {', '.join(map(repr, columns))}")
