"""Uploads of snapshots: one file in a form (multipart/form-data), written to the disk as it comes.

Nothing of it is kept in memory but the piece at hand. The name that the form gives is not used, and
fields of other names are refused: what is not read must not be taken for read.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from palimpsest.app.errors import Refusal, wrong_input
from palimpsest.app.wire.bodies import Disconnected
from palimpsest.index import Incoming

FIELD = "snapshot"  # of the form
STEP = 1 << 20  # bytes written at once


async def receive(request: Request, file: Incoming, most: int) -> None:
    """Write the snapshot that a request brings to a file.

    Raises:
        Refusal: 400 for a form that cannot be read, lacks the file or has more than that, and for
            a file of more than ``most`` bytes.
        Disconnected: the client left.
        StorageError: it could not be written.
    """
    form = Form(request.headers.get("content-type", ""), most)
    try:
        async for data in request.stream():
            form.feed(data)
            if len(form.waiting) >= STEP:
                await asyncio.to_thread(file.write, form.taken())
    except ClientDisconnect:
        raise Disconnected from None
    form.finish()
    await asyncio.to_thread(file.write, form.taken())


class Form:
    """A form that comes in: what of its one file waits to be written."""

    def __init__(self, content_type: str, most: int) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise wrong_input("the form has no boundary: send multipart/form-data")
        self.waiting = bytearray()
        self._most, self._received = most, 0
        self._files, self._ended = 0, False
        self._name, self._value = bytearray(), bytearray()  # of the header at hand
        self._disposition = b""
        self._parser = _parser(boundary, self)

    def feed(self, data: bytes) -> None:
        """Take some of the body. Raises Refusal."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise wrong_input(f"the form cannot be read: {error}") from None

    def taken(self) -> bytes:
        """Return what waits, which waits no more."""
        data = bytes(self.waiting)
        self.waiting.clear()
        return data

    def finish(self) -> None:
        """Require that the form came whole, and had its file. Raises Refusal."""
        if not self._ended:
            raise wrong_input("the form ends too early")
        if not self._files:
            raise wrong_input(f"the form has no file `{FIELD}`")

    # What the parser tells, in order.

    def on_part_begin(self) -> None:
        """Begin with a field."""
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """Take some of the name of a header."""
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """Take some of the value of a header."""
        self._value += data[start:end]

    def on_header_end(self) -> None:
        """Keep the one header that says which field this is."""
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def on_headers_finished(self) -> None:
        """Require that the field is the file, and the first."""
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name != FIELD:
            raise wrong_input(f"the form has a field `{name:.80}`: expected the file `{FIELD}`")
        self._files += 1
        if self._files > 1:
            raise wrong_input(f"the form has several files `{FIELD}`")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Take some of the file."""
        self._received += end - start
        if self._received > self._most:
            raise Refusal(
                HTTPStatus.BAD_REQUEST,
                f"Wrong input: the snapshot is larger than allowed (limit: {self._most} bytes, "
                "PALIMPSEST_SNAPSHOT_LIMIT)",
            )
        self.waiting += data[start:end]

    def on_end(self) -> None:
        """Take note of the end."""
        self._ended = True


def _parser(boundary: bytes, form: Form) -> MultipartParser:
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": form.on_part_begin,
                "on_part_data": form.on_part_data,
                "on_header_field": form.on_header_field,
                "on_header_value": form.on_header_value,
                "on_header_end": form.on_header_end,
                "on_headers_finished": form.on_headers_finished,
                "on_end": form.on_end,
            },
        )
    except FormParserError as error:
        raise wrong_input(f"the form cannot be read: {error}") from None
