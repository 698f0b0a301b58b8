"""``python -m palimpsest.app.health.probe``: asks the server here whether it is ready.

For the health check of the image, every few seconds: so it imports nothing of the server. It needs
no key, and takes any certificate, for it asks its own machine. Where clients have to show one it
shows the server's, which their authorities have to have signed too.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

PORT = "6333"
SECONDS = 2
ALL = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # addresses that are listened on


def main() -> int:
    """Print what ``/readyz`` says; return 0 when that is ready, 1 when it is not or fails."""
    connection = _connection()
    try:
        connection.request("GET", "/readyz")
        reply = connection.getresponse()
        text = reply.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        text = f"{connection.host}:{connection.port} does not answer: {error}"
        ready = False
    else:
        ready = reply.status == 200
    finally:
        connection.close()
    print(text, file=sys.stdout if ready else sys.stderr)
    return 0 if ready else 1


def _connection() -> HTTPConnection:
    host = os.environ.get("PALIMPSEST_HOST", "")
    port = os.environ.get("PALIMPSEST_PORT", PORT)
    where = ALL.get(host, host), int(port if port.isdecimal() else PORT)
    certificate = os.environ.get("PALIMPSEST_TLS_CERT")
    if not certificate:
        return HTTPConnection(*where, timeout=SECONDS)
    import ssl

    context = ssl.create_default_context()
    # It asks its own machine, by an address that no certificate names; nothing secret is sent.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if os.environ.get("PALIMPSEST_TLS_CLIENT_CA"):
        context.load_cert_chain(certificate, os.environ.get("PALIMPSEST_TLS_KEY"))
    return HTTPSConnection(*where, timeout=SECONDS, context=context)


if __name__ == "__main__":
    sys.exit(main())
