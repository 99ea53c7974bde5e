"""The reference: what is normal, untouched by single wild values."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.calibration import MOST_INFLATION, reference_of

finite = st.floats(-1e100, 1e100)


def _normal(n: int = 100, mean: float = 20.0, std: float = 2.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, std) for _ in range(n)]


def _autoregression(phi: float, n: int, seed: int) -> list[float]:
    rng = random.Random(seed)
    x, values = 0.0, []
    for _ in range(n + 200):
        x = phi * x + rng.gauss(0, 1)
        values.append(x)
    return values[200:]


def test_it_is_mean_and_standard_deviation_of_a_clean_warm_up() -> None:
    values = _normal()
    reference = reference_of(values)
    mean = sum(values) / 100
    assert reference.n == 100
    assert reference.outliers == 0
    assert reference.mean == pytest.approx(mean)
    assert reference.std == pytest.approx(math.sqrt(sum((x - mean) ** 2 for x in values) / 99))


@pytest.mark.parametrize("wild", [1e3, -1e6, 1e100])
def test_wild_values_are_counted_and_left_out(wild: float) -> None:
    values = _normal()
    clean = reference_of(values)
    for i in (3, 40, 41, 77, 99):
        values[i] = wild
    reference = reference_of(values)
    assert reference.outliers == 5
    assert reference.mean == pytest.approx(clean.mean, abs=0.5)
    assert reference.std == pytest.approx(clean.std, rel=0.2)
    assert reference.scale < 2 * clean.scale


def test_one_glitch_of_a_constant_is_left_out() -> None:
    reference = reference_of([7.0] * 60 + [0.0] + [7.0] * 39)
    assert (reference.outliers, reference.mean, reference.std) == (1, 7.0, 0.0)
    assert 0 < reference.scale < 1e-6


def test_rare_ones_among_zeros_are_normal() -> None:
    reference = reference_of([0.0, 0.0, 0.0, 0.0, 1.0] * 20)
    assert reference.outliers == 0
    assert reference.mean == pytest.approx(0.2)


def test_dependent_values_have_the_scale_of_their_sums() -> None:
    # A first-order autoregression has a long-run standard deviation of 1 / (1 - phi).
    scales = [reference_of(_autoregression(0.8, 100, seed)).scale for seed in range(40)]
    assert sorted(scales)[20] == pytest.approx(5.0, rel=0.25)


def test_independent_values_have_a_scale_near_their_standard_deviation() -> None:
    ratios = []
    for seed in range(40):
        reference = reference_of(_normal(seed=seed))
        ratios.append(reference.scale / reference.std)
    assert sum(ratios) / 40 < 1.15


def test_a_tenth_of_the_values_lies_above_the_limit() -> None:
    values = _normal()
    limit = reference_of(values).limit
    assert sum(x > limit for x in values) == pytest.approx(10, abs=1)


@given(st.lists(finite, min_size=2, max_size=60))
def test_it_is_finite_and_ordered_whatever_comes(values: list[float]) -> None:
    reference = reference_of(values)
    assert min(values) - abs(min(values)) * 1e-12 <= reference.mean
    assert reference.mean <= max(values) + abs(max(values)) * 1e-12
    assert 0 <= reference.std < math.inf
    assert 0 < reference.scale < math.inf
    assert reference.scale <= max(MOST_INFLATION * reference.std, 1e-9 * abs(reference.mean), 1e-12)
    assert reference.n + reference.outliers == len(values)
    assert reference.n > len(values) // 2 - 1


@given(
    st.lists(st.integers(-1000, 1000).map(float), min_size=10, max_size=60),
    st.sampled_from([0.5, 2.0, 1024.0]),
)
def test_it_follows_a_change_of_unit(values: list[float], factor: float) -> None:
    one, other = reference_of(values), reference_of([factor * x for x in values])
    assert other.mean == pytest.approx(factor * one.mean)
    assert other.std == pytest.approx(factor * one.std)
    assert other.outliers == one.outliers
