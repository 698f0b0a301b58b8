"""Ways in which the bytes of a file may be others than were written: by chance, or on purpose."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TypeAlias

Mutation: TypeAlias = Callable[[bytearray, random.Random], None]

PAGE = 4_096
HEAD = 200  # bytes at the beginning, hit more often than by chance
_HUGE = (2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)


def _place(content: bytearray, rng: random.Random, width: int = 1) -> int:
    most = max(len(content) - width, 0)
    return rng.randint(0, min(most, HEAD) if rng.random() < 0.4 else most)


def flip(content: bytearray, rng: random.Random) -> None:
    """Turn up to eight bits over."""
    for _ in range(rng.randint(1, 8)):
        content[_place(content, rng)] ^= 1 << rng.randrange(8)


def truncate(content: bytearray, rng: random.Random) -> None:
    """Cut it short."""
    del content[rng.randrange(len(content)) :]


def extend(content: bytearray, rng: random.Random) -> None:
    """Put more behind it."""
    content += rng.randbytes(rng.randint(1, 2 * PAGE))


def swap(content: bytearray, rng: random.Random) -> None:
    """Exchange two stretches."""
    width = rng.randint(1, max(1, min(PAGE, len(content) // 2)))
    one, other = _place(content, rng, width), _place(content, rng, width)
    kept = content[one : one + width]
    content[one : one + width] = content[other : other + width]
    content[other : other + width] = kept


def zero(content: bytearray, rng: random.Random) -> None:
    """Put zeros in the place of a page, as a disk that never wrote it."""
    start = rng.randrange(len(content)) // PAGE * PAGE
    if rng.random() < 0.5:
        start = _place(content, rng)
    stop = min(start + PAGE, len(content))
    content[start:stop] = bytes(stop - start)


def enlarge(content: bytearray, rng: random.Random) -> None:
    """Put a huge number somewhere, in either byte order: a length, an offset, a count."""
    width, order = rng.choice((4, 8)), rng.choice(("little", "big"))
    number = rng.choice(_HUGE) & (1 << 8 * width) - 1
    place = _place(content, rng, width) // 4 * 4
    content[place : place + width] = number.to_bytes(width, order)  # type: ignore[arg-type]


def reshape(content: bytearray, rng: random.Random) -> None:
    """Put other digits in the place of some: shapes in heads, numbers in JSON."""
    digits = [place for place, byte in enumerate(content[:4_000]) if 48 <= byte < 58]
    for place in rng.sample(digits, min(len(digits), rng.randint(1, 4))):
        content[place] = rng.choice(b"0123456789-")


MUTATIONS: Mapping[str, Mutation] = {
    one.__name__: one for one in (flip, truncate, extend, swap, zero, enlarge, reshape)
}


def mutated(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Return what was done, and other bytes than there were."""
    while True:
        name = rng.choice(sorted(MUTATIONS))
        changed = bytearray(content)
        if changed:
            MUTATIONS[name](changed, rng)
        else:
            extend(changed, rng)
        if changed != content:
            return name, bytes(changed)
