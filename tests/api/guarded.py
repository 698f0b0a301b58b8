"""`palimpsest serve` that notes in ``IMPORTED_FILE`` every module imported once it serves.

A module imported while requests are served may find neither a descriptor nor memory to spare.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from palimpsest.app.cli import main
from palimpsest.app.edge import Edge

NOTED = os.environ["IMPORTED_FILE"]


class Guard:
    """Finds nothing, and notes what it was asked for."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        frames = traceback.extract_stack()
        own = [f"{one.filename}:{one.lineno}" for one in frames if "importlib" not in one.filename]
        with open(NOTED, "a") as file:
            file.write(f"{name} from {own[-2]}\n")
        return None


first = Edge.__call__


async def guarded(self: Edge, scope: object, receive: object, send: object) -> None:
    """Begin to note with the first request."""
    if isinstance(scope, dict) and scope["type"] == "http" and Guard not in sys.meta_path:
        sys.meta_path.insert(0, Guard)  # type: ignore[arg-type]
    await first(self, scope, receive, send)  # type: ignore[arg-type]


if __name__ == "__main__":
    Edge.__call__ = guarded  # type: ignore[method-assign, assignment]
    sys.exit(main())
