"""``palimpsest serve``: one server, from its settings to its exit status."""

from __future__ import annotations

import faulthandler
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

import uvicorn

from palimpsest.app.edge import Edge
from palimpsest.app.health.serving import Server
from palimpsest.app.main import create_app
from palimpsest.app.protocol import AcceptingTls, Listening
from palimpsest.app.settings import Misconfigured, Settings
from palimpsest.app.tracing.logs import configure


def serve(settings: Settings) -> int:
    """Serve until a signal; running requests finish, the database closes."""
    raise_descriptor_limit()
    configure(settings.log_level, settings.log_format)
    # A mapped file that is cut short, or cannot be read, ends the process where it is read:
    # no code can go on from there (SIGBUS), but the log is to say where it was.
    if sys.stderr is not None:  # which whoever starts it may have closed
        faulthandler.enable(all_threads=False)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until ``app.reloading`` hears it
    try:
        app = create_app(settings, opens=False)
    except Misconfigured as error:
        sys.stderr.write(f"palimpsest: {error}\n")
        return 2
    app.context.connections.fit_descriptors()
    server = Server(server_config(app, settings), app.context)
    # Until the server hears them, and after: a requested stop is a success.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        server.run()
    except SystemExit as left:  # uvicorn's way out when it cannot listen, or ours
        return 1 if left.code else 0
    return 1 if server.failed else 0


def raise_descriptor_limit() -> None:
    """Let this process open as many files as its hard limit allows: segments and clients need them.

    The soft limit is often 1,024, for programs that use ``select``, which this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # systems may refuse even what they call allowed
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def server_config(app: Edge, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration: no access log, no needless headers, no proxy layer."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Listening if app.context.connections.certificates is None else AcceptingTls,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )


def _leave(*_: Any) -> None:
    raise SystemExit(0)
