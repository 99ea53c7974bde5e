"""Numbers as few bytes: what is written is what the format says, and what was written is read."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.compiled import AVAILABLE
from streams.bank.numbers import put_floats, put_integers, take_floats, take_integers

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

AT = 3


def as_written(parts: Sequence[bytes]) -> bytes:
    """Lengths, two to a byte, then the bytes."""
    lengths = [len(part) for part in parts] + [0] * (len(parts) % 2)
    pairs = zip(lengths[::2], lengths[1::2], strict=True)
    return bytes(low | high << 4 for low, high in pairs) + b"".join(parts)


def room(count: int) -> np.ndarray:
    return np.full(AT + 9 * count + 16, 0xAA, np.uint8)


floats = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", struct.pack(">Q", bits))[0])


@settings(deadline=None)
@given(st.lists(st.floats() | st.integers(-9, 9).map(float) | floats, max_size=9))
def test_a_float_is_its_pattern_without_the_zero_bytes_at_the_low_end(given: list[float]) -> None:
    values, out = np.array(given, np.float64), room(len(given))
    end = put_floats(values, 0, len(values), out, AT)
    parts = [value.tobytes()[::-1].rstrip(b"\0") for value in values]
    assert out[AT:end].tobytes() == as_written(parts)
    again = np.empty(len(values))
    assert take_floats(out, AT, len(values), again, 0) == end
    assert again.tobytes() == values.tobytes()


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300), max_size=9))
def test_an_integer_is_folded_and_without_the_zero_bytes_at_the_high_end(given: list[int]) -> None:
    values, out = np.array(given, np.int64), room(len(given))
    end = put_integers(values, 0, len(values), out, AT)
    folded = [(number << 1) ^ (number >> 63) for number in given]
    parts = [number.to_bytes(8, "little").rstrip(b"\0") for number in folded]
    assert out[AT:end].tobytes() == as_written(parts)
    again = np.empty(len(values), np.int64)
    assert take_integers(out, AT, len(values), again, 0) == end
    assert again.tolist() == given
