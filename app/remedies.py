"""What the engine advises, in calls of this server: the one place that words its remedies.

The engine tells of remedies as values, and knows no calls, headers or commands. Here each gets the
call that carries it out, for replies and warnings alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import assert_never
from urllib.parse import quote, urlencode

from palimpsest.index import Act, DropVersion, FitAdapter, MigratePoints, PairPoints, Remedy

_ASKED = "/collections/{collection_name}"  # stands for the collection that was asked


_REPAIR = "`palimpsest doctor --repair`"
_ACTS: Mapping[Act, str] = {
    Act.AWAIT_REPAIR: "wait until that has ended, or name another directory",
    Act.BRING_BACK: (
        "restore the file from a backup, or bring back what segments in lost+found/ hold of it "
        f"with {_REPAIR}"
    ),
    Act.CHOOSE_DIRECTORY: "stop it, or name another directory (serve --data, doctor DATA)",
    Act.FIT_AGAIN: (
        f"fitted again by the server if points hold both versions, else by POST {_ASKED}/adapters"
    ),
    Act.FORCE: "force it",
    Act.GIVE_PAIRS: "give `pairs`",
    Act.LEAVE_OUT: "search without them by the header x-palimpsest-bridge: off",
    Act.KEEP: (
        "keep it: it may hold what the store lost. The server moves it to lost+found/ when it "
        f"opens the collection, as does {_REPAIR}"
    ),
    Act.REINDEX: f"{_REPAIR} makes the index of ids anew, with the server stopped",
    Act.REMAKE: f"the server makes it anew, as does {_REPAIR}",
    Act.REOPEN: f"restart the server, which derives it anew, or let {_REPAIR} do so",
    Act.REPAIR: _REPAIR,
    Act.RESTORE: (
        f"restore the collection's folder from a backup, or let {_REPAIR} take the store for what "
        "it holds and bring back what the segments hold"
    ),
    Act.NAME_DIRECTORY: (
        "name the directory that the server was given as --data, and see that it is mounted"
    ),
}


def help_of(remedy: Remedy) -> str:
    """Return what to do, with the call that does it."""
    match remedy:
        case Act():
            return _ACTS[remedy]
        case FitAdapter(vector, rows, queries):
            body = _named(vector, rows=rows, queries=queries)
            said = json.dumps(body, ensure_ascii=False)
            return f"fit an adapter with POST {_ASKED}/adapters {said}"
        case MigratePoints(vector, version):
            where = _backfill(vector, version=version)
            return f"write vectors of version {version!r} to more points ({where} lists them)"
        case PairPoints(vector, version):
            where = _backfill(vector, version=version, order="random")
            return f"write vectors of version {version!r} to some points ({where} lists them)"
        case DropVersion(vector, version, collection):
            path = _ASKED if collection is None else f"/collections/{quote(collection, safe='')}"
            query = f"?{urlencode({'vector': vector})}" if vector else ""
            return f"drop it with DELETE {path}/versions/{quote(version, safe='')}{query}"
        case _:
            assert_never(remedy)


def _backfill(vector: str, **parameters: str) -> str:
    """Return the call that lists points without a version, the most urgent first or at random."""
    return f"GET {_ASKED}/backfill?{urlencode(_named(vector, **parameters))}"


def _named(vector: str, **parameters: str) -> dict[str, str]:
    """Return parameters with the vector name, which may be left out where it is the plain one."""
    return {"vector": vector, **parameters} if vector else parameters
