"""How UUIDs are spelled."""

from __future__ import annotations

from uuid import UUID

import pytest

from palimpsest.app.spelling import read_uuid

ONE = UUID("936da01f-9abd-4d9d-80c7-02af85c822a8")


@pytest.mark.parametrize("shape", ["{}", "urn:uuid:{}", "URN:UUID:{}", "{{{}}}"])
@pytest.mark.parametrize("digits", [str(ONE), str(ONE).upper(), ONE.hex])
def test_uuids_in_every_spelling(shape: str, digits: str) -> None:
    assert read_uuid(shape.format(digits)) == ONE


@pytest.mark.parametrize(
    "text", ["", "7", f"{ONE} ", f"{{{ONE}", f"urn:uuid:{{{ONE}}}", "9-" + str(ONE)[2:], f"{ONE}\n"]
)
def test_what_is_no_uuid(text: str) -> None:
    assert read_uuid(text) is None
