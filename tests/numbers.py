"""Numbers at the limits of the types that hold them, and between the values these can hold."""

from __future__ import annotations

LARGE = (
    2**53, 2**53 + 1, 2.0**53, -(2**53) - 1, 1768962487123456789, 1768962487123456788,
    2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2.0**63, -(2.0**63), 2**64 - 1, 2**64, 2**64 + 1,
    10**30, 1e30, -(10**30), 1e300, -1e300, 5e-324, -0.0,
)  # fmt: skip
LARGE_INTEGERS = tuple(number for number in LARGE if isinstance(number, int))
# What the Python client gives back as it was: it reads integers of more than 64 bits as floats.
CLIENT = tuple(
    number for number in LARGE if isinstance(number, float) or -(2**63) <= number < 2**64
)
CLIENT_INTEGERS = tuple(number for number in CLIENT if isinstance(number, int))
