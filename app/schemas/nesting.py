"""How deeply stored JSON may be nested.

What is read, compared and cut recursively must be shallow wherever it is met, so the limit holds
at intake. It is that of Qdrant's own JSON reader.
"""

from __future__ import annotations

from typing import Any

MAX_NESTING = 128  # objects and lists inside each other, the outermost counted
TOO_DEEP = f"nested too deeply: at most {MAX_NESTING} objects and lists may stand inside each other"


def is_deeper(value: Any, limit: int) -> bool:
    """Tell whether objects and lists of decoded JSON stand more than ``limit`` inside each other.

    Goes level by level, so that no depth is too much for it.
    """
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return bool(level)
