"""Settings: their bounds, their texts, and that a secret is not shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from palimpsest.app.settings import MOST, Settings


def test_a_key_is_in_no_text_of_the_settings() -> None:
    settings = Settings(api_key="geheimer-schlüssel")  # type: ignore[arg-type]
    assert "geheim" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    "given",
    [
        {"port": 65_536},
        {"port": -1},
        {"threads": 0},
        {"body_limit": MOST + 1},
        {"idle_timeout": float("nan")},
        {"send_timeout": float("inf")},
        {"depth_limit": 129},
        {"log_level": "LOUD"},
        {"memory_limit": "512 parsecs"},
        {"unknown": 1},
    ],
)
def test_what_is_out_of_bounds(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)


def test_texts_are_read_as_they_are_meant() -> None:
    settings = Settings(log_level="debug", memory_limit="2GiB")  # type: ignore[arg-type]
    assert (settings.log_level, settings.memory_limit) == ("DEBUG", 2 * 2**30)


def test_settings_do_not_change_while_they_are_served_with() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]
