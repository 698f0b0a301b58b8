"""Sizes of memory as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(k|m|g|t|ki|mi|gi|ti|)b?", re.IGNORECASE)


def read_size(value: object) -> object:
    """Return the bytes that a text like ``512MiB`` or ``2 GB`` means; other values as they are.

    Raises:
        ValueError: the text is no size.
    """
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise ValueError(f"expected bytes as 512MiB, 2GB or 1000000, got {value!r}")
    number, unit = found.groups()
    return int(float(number) * {**_UNITS, **_BINARY}[unit.lower()])
