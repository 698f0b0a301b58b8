"""Sizes of memory as texts."""

from __future__ import annotations

import pytest

from palimpsest.app.work.sizes import read_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("512MiB", 512 * 2**20),
        ("512 mib", 512 * 2**20),
        ("2GB", 2 * 10**9),
        ("1.5G", 1_500_000_000),
        ("3Ki", 3_072),
        (7, 7),
        ("0", 0),
    ],
)
def test_sizes_are_read(text: object, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "much", "-1", "5 parsecs", "1e9", "MiB", "1 2", "\u0663", "9" * 99]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="512MiB"):
        read_size(text)
