"""How ids and vectors are spelled in JSON, for whoever reads points: routes, and commands.

Nothing of the engine is loaded for it, which takes a second: commands over HTTP begin at once.
"""

from __future__ import annotations

import re
from uuid import UUID

MAX_ID = 2**64 - 1
SPARSE = {"indices", "values"}  # the fields of a sparse vector
ABSENT = (b"", b"null")  # texts of a Raw field that was not sent, or sent as null

# `UUID` itself reads more than RFC 4122 allows (hyphens anywhere, underscores), and less than
# clients send (a URN in capitals).
_DIGITS = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}"
_UUID = re.compile(
    rf"(?:urn:uuid:)?(?P<bare>{_DIGITS})|\{{(?P<braced>{_DIGITS})\}}", re.IGNORECASE | re.ASCII
)


def read_uuid(text: str) -> UUID | None:
    """Return the UUID that a text is: simple or hyphenated, bare, as a URN or in braces."""
    found = _UUID.fullmatch(text)
    return UUID(found["bare"] or found["braced"]) if found else None
