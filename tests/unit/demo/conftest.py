"""What tests of the demo share."""

from __future__ import annotations

import pytest

from palimpsest.app.demo.corpus import Passage, collect


@pytest.fixture(scope="package")
def standard() -> list[Passage]:
    """All passages of the standard library, which takes seconds to read."""
    return collect(100_000)
