"""Times in the usual spelling of RFC 3339 out of bytes, compiled.

The usual spelling has a ``T`` and no second 60. On what is read here, the result is that of
`schemas.timestamps.parse_timestamp`, which reads the rest too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.compiled import compiled, inlined
from schemas.decimal import as_word, digits_in, eight_digits, marked, pairs, signed, word
from schemas.timestamps import MAX_US, MIN_US

__all__ = ["time"]

Bytes = npt.NDArray[np.uint8]

_PLUS: Final = 43
_MINUS: Final = 45
_POINT: Final = 46
_UPPER_Z: Final = 90
_LOWER_Z: Final = 122
_SHORTEST: Final = len("0001-01-01T00:00:00Z")
_FRACTION_AT: Final = len("0001-01-01T00:00:00")
_ZONE_LENGTH: Final = len("+00:00")

# Less the pattern, a digit is at most 9 and everything else 0: the limits mark what is above.
_DATE: Final = as_word(b"0000-00-")
_DATE_LIMITS: Final = as_word(b"\x76\x76\x76\x76\x7f\x76\x76\x7f")
_CLOCK: Final = as_word(b"00T00:00")
_CLOCK_LIMITS: Final = as_word(b"\x76\x76\x7f\x76\x76\x7f\x76\x76")
_SECOND: Final = as_word(b":00")
_SECOND_MASK: Final = as_word(b"\xff\xff\xff")
_SECOND_LIMITS: Final = as_word(b"\x7f\x76\x76")
_ZONE: Final = as_word(b"00:00")
_ZONE_MASK: Final = as_word(b"\xff\xff\xff\xff\xff")
_ZONE_LIMITS: Final = as_word(b"\x76\x76\x7f\x76\x76")
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_BYTE: Final = np.uint64(255)

_MICROSECOND_DIGITS: Final = 6
_EPOCH: Final = 719_163
_DAYS_IN_MONTH: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
_DAYS_BEFORE_MONTH: Final = np.cumsum(_DAYS_IN_MONTH) - _DAYS_IN_MONTH


@compiled
def time(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Read a time.

    Parameters
    ----------
    data
        Shape (n,), uint8.
    at, end
        Where the time begins, and what it ends before.

    Returns
    -------
    us : int
        Microseconds since 1970-01-01T00:00:00Z.
    end : int
        Where the time ends. -1 if none in the usual spelling, with a zone and within the years 1
        to 9999, is there.
    """
    if end - at < _SHORTEST:
        return 0, -1
    date = word(data, at, end) ^ _DATE
    clock = word(data, at + 8, end) ^ _CLOCK
    second = (word(data, at + 16, end) ^ _SECOND) & _SECOND_MASK
    odd = marked(date, _DATE_LIMITS) | marked(clock, _CLOCK_LIMITS)
    if odd | marked(second, _SECOND_LIMITS) != _0:
        return 0, -1
    date = pairs(date)
    clock = pairs(clock)
    year = _byte(date, 0) * 100 + _byte(date, 2)
    month = _byte(date, 5)
    day = _byte(clock, 0)
    hour = _byte(clock, 3)
    minute = _byte(clock, 6)
    seconds = _byte(pairs(second), 1)
    if year < 1 or not 1 <= month <= 12 or hour > 23 or minute > 59 or seconds > 59:
        return 0, -1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS_IN_MONTH[month] + (leap and month == 2):
        return 0, -1
    years = year - 1
    days = years * 365 + years // 4 - years // 100 + years // 400 - _EPOCH
    days += _DAYS_BEFORE_MONTH[month] + (leap and month > 2) + day
    at += _FRACTION_AT
    us = 0
    if data[at] == _POINT:
        us, at = _fraction(data, at + 1, end)
    shift, at = _zone(data, at, end)
    us += (((days * 24 + hour) * 60 + minute - shift) * 60 + seconds) * 1_000_000
    return us, at if MIN_US <= us <= MAX_US else -1


@inlined
def _byte(found: np.uint64, index: int) -> int:
    return signed(found >> (index << 3) & _BYTE)


@inlined
def _fraction(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Digits, cut to microseconds, and where they end; -1 if there are none."""
    digits, count = digits_in(data, at, end)
    if count == 0:
        return 0, -1
    kept = min(count, _MICROSECOND_DIGITS)
    # The two bytes that come in below are leading zeros.
    us = signed(eight_digits((digits & ((_1 << (kept << 3)) - _1)) << 16))
    at += count
    while count == 8:
        _, count = digits_in(data, at, end)
        at += count
    return us, at


@inlined
def _zone(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """By how many minutes a zone is ahead of UTC, and where it ends; -1 if none is there."""
    if at < 0 or at >= end:
        return 0, -1
    sign = data[at]
    if sign in (_UPPER_Z, _LOWER_Z):
        return 0, at + 1
    zone = (word(data, at + 1, end) ^ _ZONE) & _ZONE_MASK
    if sign not in (_PLUS, _MINUS) or marked(zone, _ZONE_LIMITS) != _0:
        return 0, -1
    zone = pairs(zone)
    hours = _byte(zone, 0)
    minutes = _byte(zone, 3)
    if hours > 23 or minutes > 59:
        return 0, -1
    shift = hours * 60 + minutes
    return -shift if sign == _MINUS else shift, at + _ZONE_LENGTH
