"""Which version of Qdrant's API is announced to whom.

Clients since 1.13 compare the announced version with their own and warn when the minor versions are
more than one apart. The default suits those of 1.18 to 1.20. Older ones are served as well and
tested (``tests/clients``): told a version of their own, they have nothing to warn of. Newer ones
warn, for nobody has tried them. A version that an operator sets is told to everybody.
"""

from __future__ import annotations

import re

from palimpsest.app.settings import Settings

OLDEST = 9  # the minor version of the oldest client that is tested

_CLIENT = re.compile(r"(?:python-client|qdrant-js)/1\.(\d{1,4})\.")


def announced_version(settings: Settings, user_agent: str) -> str:
    """Return the version that a client of this ``User-Agent`` is told."""
    found = _CLIENT.match(user_agent)
    if found is None or "version" in settings.model_fields_set:
        return settings.version
    minor, ours = int(found[1]), int(settings.version.split(".")[1])
    return f"1.{minor}.0" if OLDEST <= minor < ours - 1 else settings.version
