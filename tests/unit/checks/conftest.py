"""The data directories that the doctor's tests look at, too."""

from __future__ import annotations

from tests.unit.doctor.conftest import data, trial

__all__ = ["data", "trial"]
