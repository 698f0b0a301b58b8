"""`palimpsest serve` that takes the limits it is started with."""

from __future__ import annotations

import sys

from palimpsest.app import cli

if __name__ == "__main__":
    cli.raise_descriptor_limit = lambda: None
    sys.exit(cli.main())
