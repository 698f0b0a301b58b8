"""How deeply a body may be nested, where an operator allows less than readers do."""

from __future__ import annotations

import msgspec

from palimpsest.app.errors import Refusal, format_error
from palimpsest.app.schemas.nesting import MAX_NESTING, is_deeper


def check_depth(body: bytes, limit: int) -> None:
    """Refuse a body of JSON with more objects and lists inside each other than the limit.

    Readers themselves stop at ``MAX_NESTING``, so that nothing is done for that limit.

    Raises:
        Refusal: 400.
    """
    # Brackets within texts count here too, which only leads to a closer look.
    if limit >= MAX_NESTING or body.count(b"[") + body.count(b"{") <= limit:
        return
    try:
        deeper = is_deeper(msgspec.json.decode(body), limit)
    except RecursionError:
        deeper = True
    except msgspec.MsgspecError:
        return  # its decoder words what is wrong
    if deeper:
        raise _refusal(limit)


def _refusal(limit: int) -> Refusal:
    return format_error(
        f"nested too deeply: at most {limit} objects and lists may stand inside each other"
    )
