"""Point ids on the wire: an unsigned 64-bit integer, or a UUID in any spelling."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.app.spelling import MAX_ID, read_uuid
from palimpsest.index import InvalidId, PointId


def is_uuid(text: str) -> bool:
    """Tell whether ``text`` is a UUID: simple or hyphenated, bare, as a URN or in braces."""
    return read_uuid(text) is not None


def parse_id(raw: int | str) -> PointId:
    """Return the id a JSON number or string means. Raises InvalidId."""
    if isinstance(raw, int):
        if 0 <= raw <= MAX_ID:
            return raw
    elif found := read_uuid(raw):
        return found
    raise InvalidId(raw)


def parse_ids(raw: Sequence[int | str]) -> list[PointId]:
    """Return the ids of a list. Raises InvalidId, naming the first that is neither."""
    return [parse_id(each) for each in raw]


def parse_path_id(text: str) -> PointId:
    """Return the id that a part of a path means. Raises InvalidId."""
    # `int` refuses to read thousands of digits; all ids are shorter.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID))
    return parse_id(int(text) if is_number else text)


def id_of_group(key: int | str) -> PointId | None:
    """Return the id that a payload value means, None when it is none."""
    try:
        return parse_id(key)
    except InvalidId:
        return None
