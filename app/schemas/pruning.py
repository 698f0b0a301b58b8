"""Texts of bodies along the types they are decoded to: what is left out, renamed or refused.

A type says what may stand in a place: the fields of an object (msgspec's structs and pydantic's
models alike), its values, the items of a list. Whatever a type leaves undecoded keeps its very
text, unless the caller of ``Pruner`` knows its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from pydantic import BaseModel, Discriminator, Tag

from palimpsest.app.errors import format_error, unsupported
from palimpsest.app.warnings import Warnings

NULL = b"null"
SHOWN = 60  # characters of an unknown name that a text repeats


class Shape(NamedTuple):
    """What may stand in a place; nothing of it is looked into where all are None.

    ``record`` has the fields of an object, ``values`` is the shape of each of its values, ``items``
    that of a list's items; ``choose`` finds the shape of an object by its text.
    """

    record: type | Fields | None = None
    values: Shape | None = None
    items: Shape | None = None
    choose: Callable[[bytes], Shape] | None = None


class Known(NamedTuple):
    """A field: the shape of its value, and whether its reader takes null."""

    shape: Shape = Shape()
    takes_null: bool = True


@dataclass(frozen=True)
class Fields:
    """The fields of one object.

    ``aliases`` are further names of them; ``refused`` are known and not carried out. Where
    ``strict``, unknown ones are left to the decoder, which refuses them.
    """

    known: Mapping[str, Known]
    aliases: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    strict: bool = False


LEAF = Shape()


class Types:
    """Shapes of types.

    Args:
        undecoded: shapes of undecoded fields, by the name of the schema that describes them.
        aliases: further names of fields, by type.
        refused: names of fields that are known and not carried out, by type.
        strict: types whose unknown fields are left to the decoder.
    """

    def __init__(
        self,
        undecoded: Mapping[str, Shape],
        aliases: Mapping[type, Mapping[str, str]],
        refused: Mapping[type, frozenset[str]],
        strict: frozenset[type],
    ) -> None:
        self.aliases = aliases
        self.strict = strict
        self._undecoded = undecoded
        self._refused = refused
        self._fields: dict[type, Fields] = {}

    def fields(self, record: type | Fields) -> Fields:
        """Return the fields of a struct or model."""
        if isinstance(record, Fields):
            return record
        found = self._fields.get(record)
        if found is None:
            found = self._fields[record] = Fields(
                {name: self._known(hint) for name, hint in _hints(record).items()},
                self.aliases.get(record, {}),
                self._refused.get(record, frozenset()),
                record in self.strict,
            )
        return found

    def shape(self, kind: Any) -> Shape:
        """Return the shape of a type."""
        origin = get_origin(kind)
        if origin is Annotated:
            return self._annotated(*get_args(kind))
        if origin in (Union, UnionType):
            return _merged([self.shape(each) for each in get_args(kind)])
        if origin is list:
            return Shape(items=self.shape(get_args(kind)[0]))
        if origin is dict:
            return Shape(values=self.shape(get_args(kind)[1]))
        return Shape(record=kind) if _is_record(kind) else LEAF

    def _annotated(self, kind: Any, *said: Any) -> Shape:
        for each in said:
            if isinstance(each, Discriminator):
                return self._tagged(kind, each.discriminator)
            if isinstance(each, msgspec.Meta) and each.extra_json_schema is not None:
                for name, shape in self._undecoded.items():
                    if f"/{name}'" in repr(each.extra_json_schema):
                        return shape
        return self.shape(kind)

    def _tagged(self, union: Any, tag_of: Any) -> Shape:
        """Return the shape of a union whose member is told from a value."""
        tagged = {}
        for member in get_args(union):
            kind, *said = get_args(member)
            tag = next(each.tag for each in said if isinstance(each, Tag))
            tagged[tag] = self.shape(kind)

        def choose(text: bytes) -> Shape:
            return tagged.get(tag_of(msgspec.json.decode(text)), LEAF)

        return Shape(choose=choose)

    def _known(self, hint: Any) -> Known:
        return Known(self.shape(hint), _takes_null(hint))


class Pruner:
    """Prunes one body.

    Args:
        types: shapes of the types it is read as.
        warnings: takes the names of what is left out.
        strict: whether unknown fields are left to the decoder everywhere.
    """

    def __init__(self, types: Types, warnings: Warnings, strict: bool = False) -> None:
        self._types = types
        self._warnings = warnings
        self._strict = strict

    def prune(self, text: bytes, kind: Any) -> bytes:
        """Return a body as its decoder reads it: the very same object when nothing is to be done.

        Raises:
            Refusal: 400 for a field given under two names, or one that is not carried out.
            msgspec.MsgspecError: the text is no JSON.
        """
        return self._walk(text, self._types.shape(kind), "")

    def _walk(self, text: bytes, shape: Shape, where: str) -> bytes:
        first = text.lstrip()[:1]
        if first == b"[" and shape.items is not None:
            return self._list(text, shape.items, where)
        if first == b"{" and shape.choose is not None:
            return self._walk(text, shape.choose(text), where)
        if first == b"{" and shape.record is not None:
            return self._record(text, self._types.fields(shape.record), where)
        if first == b"{" and shape.values is not None:
            return self._values(text, shape.values, where)
        return text

    def _list(self, text: bytes, shape: Shape, where: str) -> bytes:
        given = _LIST.decode(text)
        kept = [self._walk(bytes(each), shape, f"{where}[]") for each in given]
        if all(new == bytes(old) for new, old in zip(kept, given, strict=True)):
            return text
        return msgspec.json.encode([msgspec.Raw(each) for each in kept])

    def _values(self, text: bytes, shape: Shape, where: str) -> bytes:
        given = _OBJECT.decode(text)
        kept = {
            name: self._walk(bytes(each), shape, _below(where, name))
            for name, each in given.items()
        }
        return _written(kept, given, text)

    def _record(self, text: bytes, fields: Fields, where: str) -> bytes:
        given = _OBJECT.decode(text)
        kept: dict[str, bytes] = {}
        for name, raw in given.items():
            value, place = bytes(raw), _below(where, name)
            meant = fields.aliases.get(name, name)
            known = fields.known.get(meant)
            if known is None:
                if self._keeps_unknown(fields, name, value, place):
                    kept[name] = value
                continue
            # Absent, wherever its reader would not say so itself; models send null for all that was
            # not set.
            if value == NULL and (meant != name or meant in kept or not known.takes_null):
                continue
            if meant != name and any(
                meant in of and bytes(of[meant]) != NULL for of in (given, kept)
            ):
                raise format_error(f"duplicate field `{meant}`: `{place}` is the same")
            kept[meant] = self._walk(value, known.shape, place)
        return _written(kept, given, text)

    def _keeps_unknown(self, fields: Fields, name: str, value: bytes, place: str) -> bool:
        """Tell whether the decoder is to meet an unknown field."""
        if value == NULL:
            return False
        # Before it would be left out: what is known and not carried out must not pass as a
        # misspelling.
        if name in fields.refused:
            raise unsupported(place)
        if fields.strict or self._strict:
            return True
        self._warnings.add("unknown_field", f"unknown field `{place}` was left out")
        return False


def _written(kept: Mapping[str, bytes], given: Mapping[str, msgspec.Raw], text: bytes) -> bytes:
    """Return an object as JSON: its own text when nothing changed."""
    if kept.keys() == given.keys() and all(kept[name] == bytes(given[name]) for name in kept):
        return text
    return msgspec.json.encode({name: msgspec.Raw(value) for name, value in kept.items()})


def _below(where: str, name: str) -> str:
    name = name[:SHOWN]
    return f"{where}.{name}" if where else name


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct | BaseModel)


def _hints(record: type) -> dict[str, Any]:
    names = (
        record.model_fields.keys() if issubclass(record, BaseModel) else record.__struct_fields__  # type: ignore[attr-defined]
    )
    hints = get_type_hints(record, include_extras=True)
    return {name: hints[name] for name in names}


def _takes_null(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _takes_null(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return any(map(_takes_null, get_args(hint)))
    return hint in (None, NoneType, Any, msgspec.Raw)


def _merged(shapes: list[Shape]) -> Shape:
    """Return the shape of a union, in which one member at most is an object, and one a list."""
    merged = Shape()
    for shape in shapes:
        merged = merged._replace(
            **{name: one for name, one in shape._asdict().items() if one is not None}
        )
    return merged


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
