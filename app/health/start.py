"""What is logged once the database is open: what runs where, what it holds, and what is damaged.

Names are shown as Python writes them: they may hold any character, and a log is read by lines.
"""

from __future__ import annotations

import logging

from palimpsest.app.context import Context
from palimpsest.app.lines import in_a_line
from palimpsest.app.release import RELEASE
from palimpsest.index import Collection

MOST_NAMED = 20  # collections in the one line
MOST_DAMAGED = 100  # lines, one for each

log = logging.getLogger("palimpsest")


def announce(context: Context, address: str) -> None:
    """Log that the server serves ``address``, and name each collection that it cannot serve."""
    folder = context.settings.data.absolute()
    log.info("palimpsest %s serves %s from %s: %s", RELEASE, address, folder, _held(context))
    damaged = context.database.damaged()
    for name, why in list(damaged.items())[:MOST_DAMAGED]:
        log.error("Collection %r cannot be opened and is not served: %s", name, in_a_line(why))
    if len(damaged) > MOST_DAMAGED:
        more = len(damaged) - MOST_DAMAGED
        log.error("%d more collections cannot be opened: GET /readyz?verbose names them", more)


def _held(context: Context) -> str:
    names = context.database.names()
    if not names:
        return "no collections"
    largest = sorted(context.collections(), key=_points, reverse=True)[:MOST_NAMED]
    shown = [f"{each.name!r} ({_described(each)})" for each in largest]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    count = "1 collection" if len(names) == 1 else f"{len(names)} collections"
    return f"{count}: {', '.join(shown)}"


def _points(collection: Collection) -> int:
    return collection.view.points


def _described(collection: Collection) -> str:
    points = _points(collection)
    count = "1 point" if points == 1 else f"{points} points"
    states = {one.version: one.state for one in collection.versions.states()}
    if len(states) < 2:
        return count
    shown = (f"{name!r} ({state})" for name, state in states.items())
    return f"{count}, versions {', '.join(shown)}"
