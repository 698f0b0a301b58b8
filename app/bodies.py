"""Bodies of FastAPI's routes, read as strictly as those of the point routes.

Python's own reader accepts NaN, lone surrogates and numbers without bound, which could be stored
but not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from json import JSONDecodeError
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.schemas.nesting import MAX_NESTING, TOO_DEEP, is_deeper


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
        if is_deeper(value, MAX_NESTING):
            raise JSONDecodeError(TOO_DEEP, "", 0)
        return value


class JsonRoute(APIRoute):
    """A route that reads its body so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answer_json(request: Request) -> Response:
            return await answer(JsonRequest(request.scope, request.receive))

        return answer_json
