"""What ends a command has an exit status."""

from __future__ import annotations

from palimpsest.app.transfer.errors import BadRow, Refused, TransferError, Unreachable, WrongUse


def test_statuses() -> None:
    kinds = (TransferError, BadRow, Refused, WrongUse, Unreachable)
    assert [each.exit_status for each in kinds] == [1, 1, 1, 2, 3]


def test_a_refusal_says_what_was_asked_and_why_not() -> None:
    refused = Refused("PUT http://a/x", 422, "too small")
    assert str(refused) == "PUT http://a/x: 422: too small"
    assert (refused.status, refused.reason) == (422, "too small")
