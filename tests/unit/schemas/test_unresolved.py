"""What is read at once is given back as it is; vectors that are to be made are waited for."""

from __future__ import annotations

import asyncio

import pytest

from palimpsest.app.schemas.unresolved import Unresolved, resolved


def test_what_is_there_is_given_back() -> None:
    asked = [object()]
    assert asyncio.run(resolved(asked)) is asked


def test_making_begins_when_it_is_waited_for_and_fails_there() -> None:
    begun: list[str] = []

    async def make() -> str:
        begun.append("begun")
        if len(begun) > 1:
            raise ValueError("no model")
        return "made"

    read = Unresolved(make)
    assert begun == []
    assert asyncio.run(resolved(read)) == "made"
    with pytest.raises(ValueError, match="no model"):
        asyncio.run(resolved(read))
