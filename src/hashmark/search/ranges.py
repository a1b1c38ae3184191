"""Ranges of whole numbers as people write them: `<512`, `>=1.5M`, `1MiB..2MiB`.

Does not know what is counted or how an invalid range is reported.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

COUNT: Mapping[str, int] = {"": 1}
"""No units: a plain count, which is a whole number."""

BYTES: Mapping[str, int] = {"": 1, "b": 1} | {
    letter + end: base**power
    for power, letter in enumerate("kmg", start=1)
    for end, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
"""Units of bytes, in lower case."""

MAX_DIGITS = 18
"""Digits of one number: enough for the size of any file, and cheap to parse."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?[a-z]*"
_RANGE = re.compile(rf"(<=|>=|<|>|=|)({_NUMBER})|({_NUMBER})\.\.({_NUMBER})")


def parse_range(text: str, units: Mapping[str, int]) -> tuple[float, float] | None:
    """Return the first and last whole number of a range, each an int or infinite; None if it is no range.

    >>> parse_range("<512", COUNT), parse_range("1k..1.5k", BYTES)
    ((-inf, 511), (1000, 1500))
    """
    found = _RANGE.fullmatch(text.lower())
    if not found:
        return None
    sign, number, start, end = found.groups()
    low, high = _number(start or number, units), _number(end or number, units)
    if low is None or high is None or low > high:
        return None
    first = math.floor(low) + 1 if sign == ">" else math.ceil(low)
    last = math.ceil(high) - 1 if sign == "<" else math.floor(high)
    return (-math.inf if sign in {"<", "<="} else first), (math.inf if sign in {">", ">="} else last)


def _number(text: str, units: Mapping[str, int]) -> Fraction | None:
    unit = text.lstrip("0123456789.")
    digits = text.removesuffix(unit)
    if unit not in units or len(digits) > MAX_DIGITS or (units is COUNT and "." in digits):
        return None
    return Fraction(digits) * units[unit]
