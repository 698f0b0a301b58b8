"""What tests of sets share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from palimpsest.index.kinds.multi import probe

Only = Callable[[str], None]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Only:
    """Have a probe choose one generator, whatever the others find."""

    def choose(name: str) -> None:
        decide = probe.decide

        def chosen(ranks: Mapping[str, Any], sample: probe.MultiSample) -> probe.MultiProbed:
            return decide({name: ranks[name]}, sample)

        monkeypatch.setattr(probe, "decide", chosen)

    return choose
