"""Whether a request gets in: who sends it, and whether it may come now.

What the sender may do is asked later, of the route that answers.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.types import Scope

from palimpsest.app.access.audit import entry
from palimpsest.app.access.failures import LONGEST, MAX_WAITING
from palimpsest.app.access.gate import Gate, Shown, Unproven
from palimpsest.app.access.holding import holds
from palimpsest.app.access.rights import NOTHING, Access
from palimpsest.app.access.table import COLLECTION, asks_browsers, is_open
from palimpsest.app.context import Context
from palimpsest.app.errors import Refusal

MISSING = "Must provide an API key or an Authorization bearer token"
INVALID = "Invalid API key or JWT"
NOBODY = "unknown"  # in the audit log: whoever showed no valid key
RECORDED = "palimpsest.recorded"  # where a scope says that the audit log tells of it


class Unauthorized(Refusal):
    """401, as plain text: Qdrant's clients show it as it is."""

    def __init__(self, text: str, challenge: str) -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, text, {"www-authenticate": challenge})


async def admit(context: Context, scope: Scope) -> Access:
    """Return what the sender of a request may do.

    Raises:
        Refusal: 401 who shows no valid key, late when there are many of an address; 429 who sends
            too much; 503 while the audit log cannot be written.
    """
    gate = context.gate
    method, path = _place(scope)
    if is_open(method, path, scope["query_string"]):
        return NOTHING
    if gate.audit is not None and not gate.audit.is_writable():
        raise Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Service unavailable: the audit log cannot be written, see the server's log; requests "
            "are answered again as soon as it can",
        )
    # From here on the request is somebody's: whatever becomes of it stands in the log.
    scope[RECORDED] = gate.audit is not None
    basic = asks_browsers(method, path)
    try:
        shown = gate.who(scope["headers"], basic=basic)
        gate.rates.take(shown.access)  # before anything is looked up for it
        await _require_standing(context, shown)
    except Unproven as unproven:
        await _slow_down(gate, unproven, _address(scope))
        raise _unauthorized(unproven, basic) from None
    return shown.access


def record(
    gate: Gate,
    scope: Scope,
    access: Access | None,
    request_id: str,
    action: str,
    name: str | None,
    status: int,
) -> None:
    """Write what became of a request into the audit log, where it is to stand there.

    Probes do not, nor does what was refused before anybody asked who sends it. ``access`` is None
    for a request that showed no valid key.
    """
    if gate.audit is None or not scope.get(RECORDED):
        return
    gate.audit.write(
        entry(
            key=NOBODY if access is None else access.who,
            address=_address(scope),
            request_id=request_id,
            method=scope["method"],
            action=action,
            collection=name,
            status=status,
        )
    )


def collection_of(scope: Scope) -> str | None:
    """Return the collection that the path of a request names, once its route is known."""
    name: str | None = scope.get("path_params", {}).get(COLLECTION)
    return name


def _place(scope: Scope) -> tuple[str, str]:
    """Return method and path as routes are looked for: HEAD is GET, a slash at the end is none."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return method, scope["path"].rstrip("/") or "/"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


async def _require_standing(context: Context, shown: Shown) -> None:
    condition = shown.condition
    if condition is None:
        return
    context.life.require_open()
    # it may take long, and goes to the account of the collection that it reads
    share = context.threads.of(context.database.real_name(condition.collection))
    counting = share.submit(lambda: holds(context.database, condition))
    if not await asyncio.wrap_future(counting):
        raise Unproven("value_missing", "the point that `value_exists` asks for is not there")


async def _slow_down(gate: Gate, unproven: Unproven, address: str) -> None:
    """Count a request that showed no valid key; wait where keys are being guessed."""
    gate.failed.add(unproven.reason)
    if unproven.reason == "missing":
        return
    failures = gate.failures
    wait = failures.note(address)
    if not wait:
        return
    if failures.waiting >= MAX_WAITING:
        raise Refusal(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"Too many requests with invalid keys: retry after {LONGEST:.0f}s",
            {"retry-after": f"{LONGEST:.0f}"},
        )
    # Counted for as long as it sleeps: replies to wrong keys are held back, but not without end, as
    # each holds a connection.
    failures.waiting += 1
    try:
        await asyncio.sleep(wait)
    finally:
        failures.waiting -= 1


def _unauthorized(unproven: Unproven, basic: bool) -> Unauthorized:
    challenge = (
        'Basic realm="palimpsest", charset="UTF-8"' if basic else 'Bearer realm="palimpsest"'
    )
    if unproven.reason == "missing":
        return Unauthorized(MISSING, challenge)
    said = str(unproven)
    return Unauthorized(f"{INVALID}: {said}" if said else INVALID, challenge)
