"""What stands in place of a vector, and whose point it is."""

from __future__ import annotations

import msgspec
import pytest

from palimpsest.app.errors import Refusal, wrong_input
from palimpsest.app.schemas.faults import TextGiven, find_fault, is_inference, wrong_kind
from palimpsest.index import DimensionMismatch, InvalidVector

IDS = [7, 8, 9]
TEXTS = [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"indices": [1], "values": [2]}', "between sparse and regular vectors"),
        (b'{"text": "hello", "model": "m"}', "inference (`model`, `text`): texts are embedded in"),
        (b'{"size": 3}', "vector with the fields size"),
    ],
)
def test_an_object_is_told_by_its_fields(text: bytes, told: str) -> None:
    refusal = wrong_kind(text)
    assert refusal.status == 400
    assert told in refusal.text


def test_what_is_to_be_embedded_has_a_model() -> None:
    assert is_inference({"image", "model"})
    assert not is_inference({"text"})


def test_the_first_text_at_fault_names_its_point() -> None:
    def check(text: bytes, _: object) -> None:
        if text != b"a":
            raise wrong_input(f"{text.decode()} is wrong")

    with pytest.raises(Refusal) as refused:
        find_fault(TEXTS, IDS, check)
    assert refused.value.text == "Wrong input: b is wrong (point 8)"


def test_what_is_to_be_embedded_passes_as_it_is() -> None:
    def check(*_: object) -> None:
        raise wrong_kind(b'{"text": "a", "model": "m"}')

    with pytest.raises(TextGiven, match="^Wrong input: inference.*vector$"):
        find_fault(TEXTS, IDS, check)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (InvalidVector("no number"), InvalidVector, "no number (point 7)"),
        (msgspec.ValidationError("no object"), Refusal, "no object (point 7)"),
        (DimensionMismatch(3, 2, "point 7; versions"), DimensionMismatch, "(point 7; versions)"),
    ],
)
def test_every_error_keeps_its_words(error: Exception, kind: type[Exception], told: str) -> None:
    def check(*_: object) -> None:
        raise error

    with pytest.raises(kind) as raised:
        find_fault(TEXTS, IDS, check)
    assert told in (raised.value.text if isinstance(raised.value, Refusal) else str(raised.value))


def test_nothing_is_raised_where_nothing_is_wrong() -> None:
    find_fault(TEXTS, IDS, lambda *_: None)
