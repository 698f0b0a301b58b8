"""Bodies of FastAPI's routes, read as those of the point routes are.

Python's own reader accepts NaN, lone surrogates and numbers without bound, which could be stored
but not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from json import JSONDecodeError
from typing import Any, get_type_hints

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute

from palimpsest.app.access.guard import GuardedRoute, guarded
from palimpsest.app.context import Context
from palimpsest.app.schemas.nesting import MAX_NESTING, TOO_DEEP, is_deeper
from palimpsest.app.schemas.tolerance import prune
from palimpsest.app.work.depth import check_depth
from palimpsest.app.work.lists import check_lists


class JsonRequest(Request):
    """A request whose body is JSON that can be given back."""

    async def json(self) -> Any:
        """Return the decoded body. Raises JSONDecodeError, which FastAPI expects."""
        try:
            value = msgspec.json.decode(await self.body())
        except msgspec.MsgspecError as error:
            raise JSONDecodeError(str(error), "", 0) from None
        except RecursionError:
            raise JSONDecodeError(TOO_DEEP, "", 0) from None
        # msgspec's own limit is another one, and is not promised: what one route takes all are to
        # take.
        if is_deeper(value, MAX_NESTING):
            raise JSONDecodeError(TOO_DEEP, "", 0)
        return value

    async def prune(self, kind: Any) -> None:
        """Leave out what is left out of a body of a type. Raises Refusal."""
        context: Context = self.app.state.context
        check_depth(await self.body(), context.settings.depth_limit)
        check_lists(await self.body(), context.settings.batch_limit)
        strict = context.settings.unknown_fields == "refuse"
        self._body = prune(await self.body(), kind, self.scope["warnings"], strict)


class JsonRoute(GuardedRoute):
    """A guarded route that reads its body so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = APIRoute.get_route_handler(self)
        kind = get_type_hints(self.endpoint, include_extras=True).get("body")

        async def answer_json(request: Request) -> Response:
            whole = JsonRequest(request.scope, request.receive)
            if kind is not None:
                await whole.prune(kind)
            return await answer(whole)

        return guarded(self, answer_json)
