"""``/docs``: the OpenAPI document to browse and to try, from files of our own alone."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from palimpsest.app.access.guard import GuardedRoute

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

# Swagger UI writes styles into elements and shows images that stand in its style sheet.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
FOLDER = Path(__file__).parents[1] / "swagger"
PAGE = "page.html"
SERVED = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript",
}


class File(NamedTuple):
    """What is served, and the same packed."""

    content: bytes
    packed: bytes


@router.get("/docs")
def show(request: Request) -> Response:
    """Show the page."""
    return _reply(request, PAGE, "text/html", "no-store")


@router.get("/docs/{file}")
def show_part(request: Request, file: str) -> Response:
    """Return a part of the page. Raises HTTPException (404) for any other name."""
    if file not in SERVED:
        raise HTTPException(404)
    return _reply(request, file, SERVED[file], "private, max-age=3600")


def _reply(request: Request, name: str, kind: str, kept: str) -> Response:
    found = _read(name)
    headers = {
        "content-security-policy": POLICY,
        "cache-control": kept,
        "vary": "accept-encoding",
    }
    packed = "gzip" in request.headers.get("accept-encoding", "")
    if packed:  # once, and not in the event loop
        headers["content-encoding"] = "gzip"
    return Response(found.packed if packed else found.content, headers=headers, media_type=kind)


@cache
def _read(name: str) -> File:
    content = (FOLDER / name).read_bytes()
    return File(content, gzip.compress(content, mtime=0))
