"""`palimpsest serve` that takes the limits it is started with."""

from __future__ import annotations

import sys

from palimpsest.app import cli, server

if __name__ == "__main__":
    server.raise_descriptor_limit = lambda: None
    sys.exit(cli.main())
