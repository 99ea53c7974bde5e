"""The compiled reference is the plain one, to the last bit."""

from __future__ import annotations

import math
import random
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors import calibration
from detectors.bank.reference import fsum, reference_of
from schemas.compiled import AVAILABLE
from tests.values import REAL_KINDS, stream

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs numba")

finite = st.floats(-1e100, 1e100)
few = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.1, 5e-324, 1e-160, 1e100, -1e100])


def compiled(values: list[float]) -> bytes:
    out = np.full(6, np.nan)
    reference_of(np.array(values), out)
    return out.tobytes()


def plain(values: list[float]) -> bytes:
    return np.array(astuple(calibration.reference_of(values)), dtype=np.float64).tobytes()


@given(values=st.lists(st.one_of(finite, few), min_size=2, max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_numbers_have_the_same_reference(values: list[float]) -> None:
    assert compiled(values) == plain(values)


@given(values=st.lists(few, min_size=2, max_size=40))
@settings(max_examples=300, deadline=None)
def test_ties_and_both_zeros_have_the_same_reference(values: list[float]) -> None:
    assert compiled(values) == plain(values)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_of_two_zeros_the_first_comes_first(seed: int) -> None:
    rng = random.Random(seed)
    values = [rng.choice([0.0, -0.0, -1.0]) for _ in range(200)]
    assert compiled(values) == plain(values)


@given(
    kind=st.sampled_from(REAL_KINDS),
    seed=st.integers(0, 2**32),
    n=st.integers(2, 300),
    wild=st.lists(finite, max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_signals_with_outliers_have_the_same_reference(
    kind: str, seed: int, n: int, wild: list[float]
) -> None:
    values = stream(kind, seed, n) + wild
    random.Random(seed).shuffle(values)
    assert compiled(values) == plain(values)


def test_the_squares_are_those_of_pythons_power() -> None:
    rng = random.Random(1)
    values = [rng.gauss(0.0, 1.0) for _ in range(20_000)]
    assert any(x**2 != x * x for x in values)
    streams = [values[i : i + 2] for i in range(0, len(values), 2)]
    assert [compiled(pair) for pair in streams] == [plain(pair) for pair in streams]


def _exact(values: Any) -> str:
    return float(fsum(np.array(values, dtype=np.float64), np.empty(64))).hex()


@given(values=st.lists(st.floats(-1e300, 1e300), max_size=100))
@example(values=[1e16, 1.0, 1e-16])
@example(values=[1e16, 1.0, -1e-16])
@example(values=[-1e16, -1.0, -1e-16])
@example(values=[1.0, 1e100, 1.0, -1e100])
@example(values=[-0.0])
@settings(max_examples=500, deadline=None)
def test_the_sum_is_the_double_nearest_to_the_exact_one(values: list[float]) -> None:
    assert _exact(values) == math.fsum(values).hex()


def test_no_sum_needs_more_room_than_it_has() -> None:
    # Apart by more digits than a double has, so that no two of them fit into one.
    values = [math.ldexp(1.0, e) for e in range(-1074, 1020, 54)]
    assert len(values) == 39
    assert _exact(values) == math.fsum(values).hex()
