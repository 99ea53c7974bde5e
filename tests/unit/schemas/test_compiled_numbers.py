"""A number that the compiled scan reads is the nearest double, and a JSON number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from sys import float_info

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.compiled import AVAILABLE
from tests.columns import bits, is_plain, value_of, with_value

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")


def neighbours(value: float) -> Iterator[Fraction]:
    """The values halfway to the doubles next to it."""
    for other in (math.nextafter(value, -math.inf), math.nextafter(value, math.inf)):
        yield (Fraction(value) + Fraction(other)) / 2


digits = st.integers(0, 10**9 - 1).map(str)
fractions = st.text("0123456789", min_size=1, max_size=10).map(".{}".format)
exponents = st.tuples(st.sampled_from(["e", "E-", "e+", "e0"]), st.integers(0, 280)).map(
    lambda both: f"{both[0]}{both[1]}"
)
decimals = st.tuples(
    st.sampled_from(["", "-"]), digits, st.just("") | fractions, st.just("") | exponents
).map("".join)
finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(finite)
@example(float_info.max)
@example(float_info.min)
@example(-0.0)
def test_a_double_written_by_repr_comes_back(value: float) -> None:
    assert bits(value_of(repr(value))) == bits(value)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(finite.filter(lambda value: 0 < abs(value) < float_info.max), st.integers(1, 19))
def test_a_double_written_with_up_to_19_digits_is_the_nearest(value: float, places: int) -> None:
    text = f"{value:.{places - 1}e}"
    if float_info.min <= abs(Fraction(text)) < float_info.max:
        below, above = neighbours(value_of(text))
        assert below <= Fraction(text) <= above


@settings(max_examples=600, deadline=None, derandomize=True)
@given(decimals)
def test_every_number_of_up_to_19_digits_is_plain(number: str) -> None:
    assert is_plain(with_value(number)) == [True]


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.data(), st.integers(-4, 23))
def test_halfway_between_two_doubles_the_even_one_is_taken(data: st.DataObject, power: int) -> None:
    # Then number * 10**power is a power of two times an odd number of 54 bits.
    five = 5 ** abs(power)
    if power < 0:
        most = min(2**54, 10**19 // five)
        number = five * data.draw(st.integers(2**53, most - 1).map(lambda odd: odd | 1))
    else:
        least, most = -(-(2**53) // five), (2**54 - 1) // five
        number = data.draw(st.integers(least // 2, (most - 1) // 2)) * 2 + 1
    value = value_of(f"{number}e{power}")
    assert number * Fraction(10) ** power in neighbours(value)
    assert bits(value)[0] % 2 == 0
    assert is_plain(*(with_value(f"{number + by}e{power}") for by in (-1, 1))) == [True] * 2


# Vern Paxson, "A Program for Testing IEEE Decimal-Binary Conversion" (1991), tables 3 and 4:
# closest to a double and to halfway between two, for each number of digits.
PAXSON = """
    5e125 69e267 999e-26 7861e-34 75569e-254 928609e-261 9210917e80 84863171e114 653777767e273
    5232604057e-298 27235667517e-109 653532977297e-123 3142213164987e-294 46202199371337e-72
    231010996856685e-73 9324754620109615e212 78459735791271921e49 272104041512242479e200
    6802601037806061975e198
    9e-265 85e-37 623e100 3571e263 81661e153 920657e-23 4603285e-24 245540327e122
    6138508175e120 83356057653e193 619534293513e124 2335141086879e218 36167929443327e-159
    609610927149051e-255 3743626360493413e-165 94080055902682397e-242 899810892172646163e283
    7120190517612959703e120
"""
HARD = """
    9007199254740991 9007199254740992 9007199254740993 9007199254740994 9007199254740995
    -9007199254740993 9007199254740993.0 900719925474099.3e1 9007199254740993e-0
    9223372036854774784 9223372036854775296 9223372036854775807 9223372036854775808
    9999999999999999999 1e22 1e23 8.5e23 1.1754943508222875e-38 2.2250738585072014e-308
    1.7976931348623157e308 1.7976931348623158e308 0.1 0.3 123456789012345678e-1 1e-22 1e-23
    6631236846766476e-308 0.500000000000000166 0.50000000000000016 3.518437208883201171e13
    62.5364939768271845 8.10109172351e-10 1.50000000000000011 4.7e-300 1e308 1e-307
"""
ZEROS = """
    0 -0 0.0 -0.0 0e0 0E+5 -0e-5 0.000e999 -0.00000000000000000000000 0e-999
"""


@pytest.mark.parametrize("number", (PAXSON + HARD).split())
def test_a_number_that_is_hard_to_round_is_plain_and_right(number: str) -> None:
    assert is_plain(with_value(number)) == [True]
    assert value_of(number) == float(number)


@pytest.mark.parametrize("number", ZEROS.split())
def test_a_zero_keeps_its_sign_unless_it_is_an_integer(number: str) -> None:
    assert is_plain(with_value(number)) == [True]
    assert bits(value_of(number)) == bits(0.0 if number == "-0" else float(number))


OF_THE_DECODER = """
    2.2250738585072011e-308 2.225073858507201e-308 5e-324 2e-324 1e-400 1e400 1e309
    1.7976931348623159e308 123456789012345678901 20505426358836677347e-221
    1.00000000000000011102230246251565 0.99999999999999999999 10000000000000000000000
    12345678901234567890 0.12345678901234567890 1e1000000 1e0000001
"""


@pytest.mark.parametrize("number", OF_THE_DECODER.split())
def test_subnormal_infinite_and_long_numbers_are_left_to_the_decoder(number: str) -> None:
    assert is_plain(with_value(number)) == [False]


NO_NUMBERS = """
    null true false "1" "" NaN Infinity -Infinity nan inf 1e999 -1e999 01 -01 00 1. -1. .5 +1
    - -- --1 1e 1e+ 1e- 1.e1 .e1 1_0 0x1 1,5 1.5.5 1e5.5 1e5e5 1..5 1e++1 1/2 1f 1d 1L 1é ½ 1\x00
"""


@pytest.mark.parametrize("value", NO_NUMBERS.split())
def test_what_is_no_number_in_json_is_no_plain_value(value: str) -> None:
    assert is_plain(with_value(value)) == [False]
