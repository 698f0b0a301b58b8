"""What a request asks by headers of ours, since Qdrant's clients let nothing new into bodies.

``x-palimpsest-bridge`` says whether points without a vector of the query's version are found
through adapters; ``x-palimpsest-explain`` adds what a search did to its reply. They mean something
to the point routes and are checked on each of them; a client may send them with every request.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

from palimpsest.app.errors import Refusal
from palimpsest.index import BridgeMode

PREFIX = b"x-palimpsest-"
BRIDGE = b"x-palimpsest-bridge"
EXPLAIN = b"x-palimpsest-explain"

_BRIDGES: dict[bytes, BridgeMode] = {b"on": "on", b"off": "off", b"require": "require"}
_FLAGS = {b"true": True, b"false": False}
_SHOWN = 60  # characters of a wrong value that its refusal repeats


class Knobs(NamedTuple):
    """How one request is answered.

    ``bridge``: ``on`` finds points of other versions where an adapter allows it, ``off`` leaves
    them out, ``require`` refuses to answer without them.
    """

    bridge: BridgeMode = "on"
    explain: bool = False


PLAIN = Knobs()


def read_knobs(headers: Iterable[tuple[bytes, bytes]]) -> Knobs:
    """Return what headers ask; names are in lower case.

    Raises:
        Refusal: 400 for a value that means nothing, a header that is not ours, or one given twice
            with different values.
    """
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        # The same twice is no contradiction.
        if name.startswith(PREFIX) and given.setdefault(name, value) != value:
            raise _wrong(name, f"given twice, as {_shown(given[name])} and {_shown(value)}")
    if not given:
        return PLAIN
    for name in given:
        # A misspelt header that were passed over would be taken for one that is obeyed.
        if name not in (BRIDGE, EXPLAIN):
            known = f"{BRIDGE.decode()} and {EXPLAIN.decode()}"
            raise _wrong(name, f"unknown header; those of this server are {known}")
    bridge = given.get(BRIDGE, b"on").strip().lower()
    if bridge not in _BRIDGES:
        raise _wrong(BRIDGE, f"expected one of on, off, require, got {_shown(bridge)}")
    explain = given.get(EXPLAIN, b"false").strip().lower()
    if explain not in _FLAGS:
        raise _wrong(EXPLAIN, f"expected true or false, got {_shown(explain)}")
    return Knobs(_BRIDGES[bridge], _FLAGS[explain])


def _wrong(name: bytes, reason: str) -> Refusal:
    text = f"Wrong input: header {name.decode('latin-1')[:_SHOWN]}: {reason}"
    return Refusal(HTTPStatus.BAD_REQUEST, text)


def _shown(value: bytes) -> str:
    return repr(value.decode("latin-1")[:_SHOWN])
