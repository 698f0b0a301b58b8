"""What stands where a vector is expected and is none, in words; and which point of a batch has it.

A column is read at once; which of its texts is at fault is found one by one, to name its point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, KeysView, Sequence
from http import HTTPStatus

import msgspec

from palimpsest.app.errors import Refusal, format_error, unsupported, wrong_input
from palimpsest.app.spelling import SPARSE
from palimpsest.index import DimensionMismatch, InvalidInput, InvalidVector, PointId

INFERRED = ("text", "image", "object")  # the fields of what is to be embedded


def is_inference(fields: Collection[str]) -> bool:
    """Tell whether an object of these fields asks the server to embed something."""
    return "model" in fields and any(name in fields for name in INFERRED)


class TextGiven(Refusal):
    """Something that is to be embedded stands where a vector may; its answer where none is made."""


def no_inference(fields: Collection[str]) -> TextGiven:
    """Answer 400 for an object that is to be embedded, where no one makes its vector."""
    names = ", ".join(f"`{name}`" for name in sorted(fields))
    return TextGiven(
        HTTPStatus.BAD_REQUEST,
        f"Wrong input: inference ({names}): texts are embedded in points that are written and in "
        "`query` alone: embed it, and send the vector",
    )


def wrong_kind(text: bytes) -> Refusal:
    """Word that an object stands where a list of numbers is expected."""
    fields = fields_of(text)
    if fields >= SPARSE:
        return wrong_input("Conversion between sparse and regular vectors failed")
    if is_inference(fields):
        return no_inference(fields)
    return unsupported(f"vector with the fields {', '.join(fields)}")


def fields_of(text: bytes) -> KeysView[str]:
    """Return the names of the fields of an object."""
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw]).keys()


def find_fault(
    texts: Sequence[bytes], ids: Sequence[PointId], check: Callable[[bytes, PointId], object]
) -> None:
    """Raise what ``check`` raises for the first text at fault, with its point named.

    A DimensionMismatch passes as it is: who raises one knows more to say beside the point. So does
    what is to be embedded, which is no fault where someone makes its vector.
    """
    for text, point_id in zip(texts, ids, strict=True):
        try:
            check(text, point_id)
        except (DimensionMismatch, TextGiven):
            raise
        except InvalidInput as error:
            raise InvalidVector(f"{error} (point {point_id})") from None
        except msgspec.MsgspecError as error:
            raise format_error(f"{error} (point {point_id})") from None
        except Refusal as error:
            raise Refusal(error.status, f"{error.text} (point {point_id})") from None
