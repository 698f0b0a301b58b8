"""Keep a server at full load: `python -m tests.soak --minutes 20`; exit status 1 if it fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.running import soak
from tests.soak.watching import table


def main() -> int:
    """Run, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--data", type=Path, help="an empty folder; else a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soaked = soak(arguments.data or Path(folder), arguments.minutes * 60)
    for kind, statuses in soaked.done.items():
        took = soaked.slowest[kind]
        sys.stdout.write(f"{kind}: {dict(statuses)}, the slowest {took:.2f} s\n")
    sys.stdout.write(f"\n{table(soaked.verdicts)}\n")
    for error in soaked.errors:
        sys.stdout.write(f"\nFAILED: {error}\n")
    return 0 if soaked.holds else 1


if __name__ == "__main__":
    sys.exit(main())
