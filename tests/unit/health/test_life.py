"""The stages of a server: what each refuses, and what it says of itself."""

from __future__ import annotations

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.health.life import PROBES, Life, Stage


def test_probes_are_answered_at_every_stage() -> None:
    life = Life()
    for stage in Stage:
        life.enter(stage)
        for path in PROBES:
            assert life.refusal(path) is None
            assert life.refusal(f"{path}/") is None


@pytest.mark.parametrize(
    ("stage", "refuses"),
    [
        (Stage.OPENING, True),
        (Stage.SERVING, False),
        (Stage.DRAINING, False),
        (Stage.ENDING, True),
    ],
)
def test_what_a_stage_refuses(stage: Stage, refuses: bool) -> None:
    life = Life()
    life.enter(stage)
    refused = life.refusal("/collections")
    assert (refused is not None) is refuses
    if refused is not None:
        assert refused.status == 503
        assert refused.headers == {"retry-after": "1", "connection": "close"}
    assert bool(life.why) is (stage is not Stage.SERVING)


def test_what_is_asked_of_a_database_waits_for_it() -> None:
    life = Life()
    life.opens(2, 7)
    with pytest.raises(Refusal, match="2 of 7 so far"):
        life.require_open()
    for stage in (Stage.SERVING, Stage.DRAINING, Stage.ENDING):  # open until the very end
        life.enter(stage)
        life.require_open()
