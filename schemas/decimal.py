"""Decimal numbers out of bytes, compiled: eight bytes at a time, and always the nearest double.

No byte from ``end`` on is read, and of those before ``at`` at most the eight that precede ``end``:
these have to be there.

References
----------
Daniel Lemire, "Number Parsing at a Gigabyte per Second", Software: Practice and Experience 51
(2021), for the doubles. Henry Warren, "Hacker's Delight" (2012), chapter 6, for finding a byte.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.compiled import compiled, inlined

__all__ = [
    "MARKS",
    "as_word",
    "digits_in",
    "eight_digits",
    "first_mark",
    "marked",
    "number",
    "pairs",
    "signed",
    "word",
]

Bytes = npt.NDArray[np.uint8]


def as_word(text: bytes) -> np.uint64:
    """Up to eight bytes as `word` gives them."""
    return np.uint64(int.from_bytes(text, "little"))


MARKS: Final = as_word(b"\x80" * 8)
"""The highest bit of each of eight bytes: set where a byte is marked."""

_ZEROS: Final = as_word(b"0" * 8)
_UP_TO_NINE: Final = as_word(b"\x76" * 8)
_LOWEST_BITS: Final = as_word(b"\x01" * 8)
_PAIRS_APART: Final = as_word(b"\xff\0\0\0\xff")
_WEIGHTS_OF_1_AND_3: Final = np.uint64(100 + (1_000_000 << 32))
_WEIGHTS_OF_2_AND_4: Final = np.uint64(1 + (10_000 << 32))

_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_2: Final = np.uint64(2)
_3: Final = np.uint64(3)
_4: Final = np.uint64(4)
_5: Final = np.uint64(5)
_6: Final = np.uint64(6)
_7: Final = np.uint64(7)
_10: Final = np.uint64(10)

_MINUS: Final = 45
_PLUS: Final = 43
_POINT: Final = 46
_DIGIT_0: Final = 48
_CASE: Final = 32
_LOWER_E: Final = 101

_MOST_DIGITS: Final = 19
_MOST_EXPONENT_DIGITS: Final = 6
_LEAST_POWER: Final = -342
_GREATEST_POWER: Final = 308
_LEAST_EXACT_RECIPROCAL: Final = -27
_GREATEST_EXACT_POWER: Final = 55
# Only with these powers can a number of 64 bits lie exactly halfway between two doubles.
_LEAST_HALFWAY_POWER: Final = -4
_GREATEST_HALFWAY_POWER: Final = 23
_FRACTION_BITS: Final = np.uint64(2**52 - 1)
_BELOW_MANTISSA: Final = np.uint64(2**9 - 1)
_LOWER_HALF: Final = np.uint64(2**32 - 1)
_ALL_BITS: Final = np.uint64(2**64 - 1)


def _powers_of_five() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The 128 leading bits of each power of five, upper and lower half.

    All are cut but for the first 27 reciprocals, which are rounded up: a number that one of these
    divides without remainder has to come out exactly.
    """
    leading = []
    for power in range(_LEAST_POWER, _GREATEST_POWER + 1):
        five: int = 5 ** abs(power)
        if power >= 0:
            leading.append((five << 128) >> five.bit_length())
        else:
            reciprocal = (1 << (five.bit_length() + 127)) // five
            leading.append(reciprocal + (power >= _LEAST_EXACT_RECIPROCAL))
    return (
        np.array([number >> 64 for number in leading], np.uint64),
        np.array([number & (2**64 - 1) for number in leading], np.uint64),
    )


_FIVES, _FIVES_CONTINUED = _powers_of_five()
_TENS: Final = np.array([10**power for power in range(9)], np.uint64)


@inlined
def signed(number: np.uint64) -> int:
    """The same number below 2**63; numba would make a float of one of each kind."""
    return int(np.int64(number))


@inlined
def word(data: Bytes, at: int, end: int) -> np.uint64:
    """The eight bytes at ``at``, the first one lowest; zeros stand for those from ``end`` on."""
    begin = np.uint64(min(at, end - 8))
    # Written out like this it becomes one load.
    found = (
        np.uint64(data[begin])
        | np.uint64(data[begin + _1]) << 8
        | np.uint64(data[begin + _2]) << 16
        | np.uint64(data[begin + _3]) << 24
        | np.uint64(data[begin + _4]) << 32
        | np.uint64(data[begin + _5]) << 40
        | np.uint64(data[begin + _6]) << 48
        | np.uint64(data[begin + _7]) << 56
    )
    # In two halves, because a shift by all 64 bits is not defined.
    half = (np.uint64(at) - begin) << 2
    return found >> half >> half


@inlined
def marked(found: np.uint64, limits: np.uint64) -> np.uint64:
    """Mark each byte that is above 127, alone or with the byte of ``limits`` added.

    Whether there is a mark, and which is the first, is right; behind that one, a carry may have
    set others.
    """
    return (found | (found + limits)) & MARKS


@inlined
def first_mark(marks: np.uint64) -> int:
    """How many bytes stand before the first marked one: 0 to 8."""
    before = (marks & (~marks + _1)) - _1
    return signed(((before >> 7) & _LOWEST_BITS) * _LOWEST_BITS >> 56)


@inlined
def digits_in(data: Bytes, at: int, end: int) -> tuple[np.uint64, int]:
    """The next eight bytes, each less the digit 0, and how many of the first ones are digits."""
    found = word(data, at, end) ^ _ZEROS
    return found, first_mark(marked(found, _UP_TO_NINE))


@inlined
def pairs(digits: np.uint64) -> np.uint64:
    """In each byte, the number of two digits that begins there; digits are bytes 0 to 9."""
    return digits * _10 + (digits >> 8)


@inlined
def eight_digits(digits: np.uint64) -> np.uint64:
    """The number of eight digits, which are bytes 0 to 9, the leading one lowest."""
    two = pairs(digits)
    return (
        (two & _PAIRS_APART) * _WEIGHTS_OF_1_AND_3
        + (two >> 16 & _PAIRS_APART) * _WEIGHTS_OF_2_AND_4
    ) >> 32


@inlined
def _append_digits(data: Bytes, at: int, end: int, number: np.uint64) -> tuple[np.uint64, int]:
    """Put all digits at ``at`` behind those of a number, modulo 2**64; and where they end."""
    while True:
        found, count = digits_in(data, at, end)
        half = (8 - count) << 2
        number = number * _TENS[count] + eight_digits(found << half << half)
        at += count
        if count < 8:
            return number, at


@compiled
def number(data: Bytes, at: int, end: int) -> tuple[float, int]:
    """Read a JSON number.

    Parameters
    ----------
    data
        Shape (n,), uint8.
    at, end
        Where the number begins, and what it ends before.

    Returns
    -------
    value : float
        The nearest double, halves to even; an integer 0 is never negative.
    end : int
        Where the number ends. -1 if none is there, or none with at most 19 significant digits
        whose nearest double is surely known and neither subnormal nor infinite.
    """
    negative = at < end and data[at] == _MINUS
    if negative:
        at += 1
    begin = at
    digits, at = _append_digits(data, at, end, _0)
    significant = at - begin
    if significant == 0:
        return 0.0, -1
    if data[begin] == _DIGIT_0:
        if significant > 1:
            return 0.0, -1
        significant = 0
    power = 0
    integer = True
    if at < end and data[at] == _POINT:
        integer = False
        begin = at + 1
        at = begin
        if significant == 0:
            while at < end and data[at] == _DIGIT_0:
                at += 1
        significant -= at
        digits, at = _append_digits(data, at, end, digits)
        significant += at
        power = begin - at
        if power == 0:
            return 0.0, -1
    if at < end and data[at] | _CASE == _LOWER_E:
        integer = False
        at += 1
        below = at < end and data[at] == _MINUS
        if below or (at < end and data[at] == _PLUS):
            at += 1
        begin = at
        exponent, at = _append_digits(data, at, end, _0)
        if not 1 <= at - begin <= _MOST_EXPONENT_DIGITS:
            return 0.0, -1
        if below:
            power -= signed(exponent)
        else:
            power += signed(exponent)
    if digits == _0 and significant <= _MOST_DIGITS:
        return -0.0 if negative and not integer else 0.0, at
    if significant > _MOST_DIGITS or not _LEAST_POWER <= power <= _GREATEST_POWER:
        return 0.0, -1
    value = _nearest_double(digits, power)
    if value == 0.0:
        return 0.0, -1
    return -value if negative else value, at


@inlined
def _nearest_double(digits: np.uint64, power: int) -> float:
    """The double nearest to ``digits``, not 0, times ten to ``power``.

    0.0 if that is subnormal, infinite or, in spite of 128 bits of the product, not known.
    """
    # Without its second bit a number is not rounded up to the next power of two.
    rounded_down = np.float64(digits & ~(digits >> 1))
    zeros = 63 + 1023 - signed(rounded_down.view(np.uint64) >> 52)
    digits = digits << zeros
    five = np.uint64(power - _LEAST_POWER)
    lower = digits * _FIVES[five]
    upper = _upper_product(digits, _FIVES[five])
    if upper & _BELOW_MANTISSA == _BELOW_MANTISSA:
        carry = _upper_product(digits, _FIVES_CONTINUED[five])
        lower += carry
        if lower < carry:
            upper += _1
    # With all bits set, what was cut off might have carried into the upper half.
    if lower == _ALL_BITS and not _LEAST_EXACT_RECIPROCAL <= power <= _GREATEST_EXACT_POWER:
        return 0.0
    top = signed(upper >> 63)
    mantissa = upper >> (top + 9)
    # 217706 / 2**16 is the binary logarithm of ten.
    biased = (217_706 * power >> 16) + 1086 + top - zeros
    if (
        lower <= _1
        and mantissa & _3 == _1
        and mantissa << (top + 9) == upper
        and _LEAST_HALFWAY_POWER <= power <= _GREATEST_HALFWAY_POWER
    ):
        mantissa -= _1
    mantissa = (mantissa + (mantissa & _1)) >> 1
    if mantissa >> 53 != _0:
        mantissa >>= 1
        biased += 1
    if not 0 < biased < 2047:
        return 0.0
    bits = np.uint64(biased) << 52 | mantissa & _FRACTION_BITS
    return np.uint64(bits).view(np.float64)


@inlined
def _upper_product(left: np.uint64, right: np.uint64) -> np.uint64:
    """The upper 64 of the 128 bits of a product."""
    left_upper = left >> 32
    right_upper = right >> 32
    left_lower = left & _LOWER_HALF
    right_lower = right & _LOWER_HALF
    first = left_upper * right_lower + (left_lower * right_lower >> 32)
    second = left_lower * right_upper + (first & _LOWER_HALF)
    return left_upper * right_upper + (first >> 32) + (second >> 32)
