"""One page has all settings."""

from __future__ import annotations

from palimpsest.app.options.page import PAGE, START, with_table


def test_the_page_of_settings_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert page.count("| flag |") == page.count(START) == 1
    assert with_table(page) == page, "run `make settings`"
