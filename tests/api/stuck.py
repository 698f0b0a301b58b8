"""`palimpsest serve` in which a count of the collection ``stuck`` never ends."""

from __future__ import annotations

import os
import sys
import time

from palimpsest.app.cli import main
from palimpsest.app.health import serving
from palimpsest.index import Collection, Filter

count = Collection.count


def stuck_count(self: Collection, filter: Filter | None = None, *, exact: bool = True) -> int:
    while self.name == "stuck" and filter is not None:
        time.sleep(0.01)
    return count(self, filter, exact=exact)


if __name__ == "__main__":
    Collection.count = stuck_count  # type: ignore[method-assign]
    serving.GRACE_SECONDS = serving.LATE_SECONDS = int(os.environ["STUCK_GRACE"])
    sys.exit(main())
