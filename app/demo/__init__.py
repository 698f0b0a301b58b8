"""The story that ``palimpsest demo`` tells: a real server changes its embedding model.

    corpus      passages: docstrings of the running Python's standard library
    questions   questions with one right passage each, made of the passages by rule
    embedders   the old model and the new one
    serving     the server, in a process of its own
    client      its REST API
    measuring   asks the questions, says how well they were answered
    example     one question's answers at each step
    table       a table and a bar chart of what was measured
    story       the upgrade, step by step

No network, no model files; it talks to the server by REST alone, as any client would.
"""

from palimpsest.app.demo.errors import DemoError
from palimpsest.app.demo.story import DEFAULT_PASSAGES, MIN_PASSAGES, Options, run

__all__ = ["DEFAULT_PASSAGES", "MIN_PASSAGES", "DemoError", "Options", "run"]
