"""How sets of vectors become fixed dimensional encodings (MUVERA, arXiv 2405.19504): parameters.

``repetitions`` times, space is cut by ``k_sim`` random hyperplanes into ``2**k_sim`` partitions,
and what lies in each is projected to ``projected`` dimensions. The seed and these numbers say
everything: the same ones are the same encoder, on every machine and in every release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from palimpsest.index.config.vectors import MAX_SIZE
from palimpsest.index.errors import InvalidConfig

MAX_K_SIM = 8  # 256 partitions, as many as a passage has tokens: more would all be filled
MAX_REPETITIONS = 256
MAX_UNPROJECTED = 2**20  # dimensions before the final projection: 4 MB for each set at work
MAX_SEED = 2**63 - 1


def _require_between(what: str, received: object, low: int, high: int) -> None:
    if type(received) is not int or not low <= received <= high:  # True is one, and none here
        raise InvalidConfig(f"fde.{what}: expected {low} to {high}, got {received!r}")


@dataclass(frozen=True, slots=True)
class FdeConfig:
    """Parameters of an encoding; two that differ are never compared. Raises InvalidConfig.

    ``k_sim`` 0 has one partition: with ``projected`` as large as the vectors and one repetition the
    encoding of a document is the mean of its vectors. ``final`` 0 means no final projection.
    """

    k_sim: int
    projected: int
    repetitions: int
    final: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        _require_between("k_sim", self.k_sim, 0, MAX_K_SIM)
        _require_between("projected", self.projected, 1, MAX_SIZE)
        _require_between("repetitions", self.repetitions, 1, MAX_REPETITIONS)
        _require_between("final", self.final, 0, MAX_SIZE)
        _require_between("seed", self.seed, 0, MAX_SEED)

    @property
    def partitions(self) -> int:
        """Number of partitions of one repetition."""
        return 1 << self.k_sim

    def kept(self, size: int) -> int:
        """Return how many dimensions of each partition are kept of vectors of ``size``.

        Where they have no more than ``projected`` they are kept as they are.
        """
        return min(self.projected, size)

    def unprojected(self, size: int) -> int:
        """Return the number of dimensions before the final projection."""
        return self.repetitions * self.partitions * self.kept(size)

    def dimensions(self, size: int) -> int:
        """Return the number of dimensions of encodings of sets of vectors of ``size``.

        Raises:
            InvalidConfig: they are too many, or the final projection would not make them fewer.
        """
        before = self.unprojected(size)
        formula = "repetitions * 2**k_sim * min(projected, size)"
        if before > MAX_UNPROJECTED:
            raise InvalidConfig(
                f"fde: expected at most {MAX_UNPROJECTED} dimensions ({formula}), got {before}; "
                "choose fewer repetitions, or a smaller k_sim or projected"
            )
        if self.final >= before:
            raise InvalidConfig(
                f"fde: expected final below the {before} dimensions that it projects ({formula}), "
                f"got {self.final}; choose a smaller one, or 0 for no final projection"
            )
        if self.final == 0 and before > MAX_SIZE:
            raise InvalidConfig(
                f"fde: expected at most {MAX_SIZE} dimensions ({formula}), got {before}; choose "
                "fewer repetitions, a smaller k_sim or projected, or a final projection"
            )
        return self.final or before

    def to_json(self) -> dict[str, int]:
        """Return it as it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> FdeConfig:
        """Return what ``to_json`` gave."""
        return cls(**stored)


# Few partitions of many dimensions lose least to codes of one bit, at any number of dimensions;
# docs/fde.md has what was compared.
PRESETS: Mapping[str, FdeConfig] = {
    "light": FdeConfig(k_sim=3, projected=32, repetitions=10),
    "quality": FdeConfig(k_sim=4, projected=32, repetitions=20),
}
