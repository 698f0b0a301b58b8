"""Changes a collection at random until it is killed.

python -m tests.crash.followed FOLDER SEED
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import open_collection
from tests.following import World, config


def change_until_killed(folder: Path, seed: int) -> None:
    """Create a collection, tell by a line of output, and change it without end."""
    world = World(open_collection(folder, config()), seed)
    world.upsert()
    sys.stdout.write("\n")
    sys.stdout.flush()
    while True:
        world.step()


if __name__ == "__main__":
    change_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
