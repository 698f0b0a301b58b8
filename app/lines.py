"""Texts that somebody else has chosen, in logs and on terminals."""

from __future__ import annotations


def in_a_line(text: str) -> str:
    """Return a text in which nothing begins another line, or moves the cursor."""
    if text.isprintable():  # as most
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
