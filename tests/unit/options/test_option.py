"""Every setting says what it means."""

from __future__ import annotations

from palimpsest.app.options.option import options_of
from palimpsest.app.settings import Settings


def test_every_setting_says_what_it_means_in_one_sentence() -> None:
    for option in options_of(Settings):
        assert option.meaning.endswith("."), option.field
        assert ". " not in option.meaning, option.field
        assert "|" not in option.meaning and "\n" not in option.meaning, option.field
