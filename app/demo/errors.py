"""What may go wrong in the demo, said to the one who started it."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""
