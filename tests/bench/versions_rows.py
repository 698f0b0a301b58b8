"""Rows of the table that have a target: what is measured, what it must be, whether it is."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.report import Result

_ROUNDING = 5e-4  # a value counts as the three digits it is shown with


def shares(
    name: str,
    measured: Sequence[float],
    must: Sequence[float],
    aim: Sequence[float] = (),
    reference: Sequence[float] | str = "",
    note: str = "",
) -> Result:
    """Return a row of shares, each of which must be at least so large."""
    return Result(
        name,
        f">= {listed(must)}" if must else "",
        f">= {listed(aim)}" if aim else "",
        f"{listed(measured)}: {verdict(measured, must, aim)}{note}" if must else listed(measured),
        reference=reference if isinstance(reference, str) else listed(reference),
    )


def seconds(name: str, measured: float, must: float, aim: float | None, unit: str) -> Result:
    """Return a row of one time, which must be shorter; times are in ``unit``."""
    met = verdict([-measured], [-must], [] if aim is None else [-aim], 0.0)
    return Result(
        name,
        f"< {must:g} {unit}",
        "" if aim is None else f"< {aim:g} {unit}",
        f"{measured:.3g} {unit}: {met}",
    )


def verdict(
    measured: Sequence[float],
    must: Sequence[float],
    aim: Sequence[float] = (),
    rounding: float = _ROUNDING,
) -> str:
    """Tell which of the targets all values meet."""
    if not _all(measured, must, rounding):
        return "not met"
    if not aim:
        return "met"
    return "met, aim met" if _all(measured, aim, rounding) else "met, aim not met"


def _all(measured: Sequence[float], least: Sequence[float], rounding: float) -> bool:
    return all(one >= each - rounding for one, each in zip(measured, least, strict=True))


def listed(values: Sequence[float]) -> str:
    """Write shares the way the table shows them: .359 / .765."""
    return " / ".join(f"{value:.3f}".removeprefix("0") for value in values)
