"""The verdict of ``/readyz``, and what it was reached by.

Not ready is a server that opens or ends, and one of whose collections none can be read; under
``PALIMPSEST_READY=strict`` also one with a collection that is damaged or refuses writes. The short
form reads published state and takes no lock; the verbose one also tries the disk.
"""

from __future__ import annotations

import shutil
from collections import Counter
from typing import Any

from palimpsest.app.context import Context
from palimpsest.app.health.conditions import conditions
from palimpsest.app.health.life import Stage

READY = "all shards are ready"


def why_not_ready(context: Context) -> str | None:
    """Return why no requests are to be sent here, None when they are."""
    if context.life.stage is not Stage.SERVING:
        return context.life.why
    damaged = context.database.damaged()
    # One damaged collection must not take a server out of the balancing that serves the others.
    if damaged and len(damaged) == len(context.database.names()):
        return f"no collection can be read, {len(damaged)} cannot be opened"
    if context.settings.ready != "strict":
        return None
    refusing = sum(each.refuses_writes is not None for each in context.collections())
    if not (damaged or refusing):
        return None
    return f"{len(damaged)} collections cannot be opened, {refusing} refuse writes"


def check(context: Context) -> dict[str, Any]:
    """Return every check by name; writes a small file to the disk, and removes it."""
    why = why_not_ready(context)
    opened = context.life.stage is not Stage.OPENING
    checks: dict[str, Any] = {
        "ready": why is None,
        "why": why,
        "opened": opened,
        "draining": context.life.stage in (Stage.DRAINING, Stage.ENDING),
    }
    if not opened:
        return checks
    damaged = context.database.damaged()
    found = list(conditions(context.collections(), damaged))
    trouble = context.database.try_disk()
    return {
        **checks,
        "collections": {"total": len(found), **Counter(each.status for each in found)},
        "damaged": dict(damaged),
        "damaged_aliases": context.database.damaged_aliases(),
        "refusing_writes": {one.name: one.refuses_writes for one in found if one.refuses_writes},
        "put_off": {one.name: one.put_off for one in found if one.put_off},
        "disk_free_bytes": shutil.disk_usage(context.settings.data).free,
        "store_writable": trouble is None,
        "store_trouble": trouble,
    }
