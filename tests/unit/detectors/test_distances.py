"""How far apart two distributions are."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.distances import of_bins, of_categories, of_normals
from detectors.moments import Statistics

counts = st.lists(st.integers(0, 1000), min_size=3, max_size=3).filter(any)
numbers = st.floats(-1e6, 1e6)
spreads = st.floats(1e-3, 1e3)


@given(p=counts, q=counts)
def test_psi_and_js_are_symmetric_not_negative_and_bounded(p: list[int], q: list[int]) -> None:
    there, back = of_categories(p, q), of_categories(q, p)
    assert there.psi >= 0.0
    assert 0.0 <= there.js <= 1.0
    assert there.psi == pytest.approx(back.psi)
    assert there.js == pytest.approx(back.js)


@given(p=counts)
def test_what_is_the_same_is_nowhere_else(p: list[int]) -> None:
    found = of_bins([-1.0, 1.0], p, p, (0.1, 0.1, 0.2, 0.2))
    assert (found.psi, found.js, found.ks, found.wasserstein) == (0.0, 0.0, 0.0, 0.0)


def test_psi_of_two_shares_is_its_textbook_sum() -> None:
    expected = (0.7 - 0.5) * math.log(0.7 / 0.5) + (0.3 - 0.5) * math.log(0.3 / 0.5)
    assert of_categories([5e5, 5e5], [7e5, 3e5]).psi == pytest.approx(expected, abs=1e-4)


@given(mean=numbers, std=spreads, shift=st.floats(-5, 5), spread=st.floats(0.2, 5))
def test_normals_are_compared_in_their_own_unit(
    mean: float, std: float, shift: float, spread: float
) -> None:
    unit = of_normals(Statistics(100, 0.0, 1.0), Statistics(50, shift, spread))
    other = of_normals(Statistics(100, mean, std), Statistics(50, mean + shift * std, spread * std))
    assert unit.wasserstein == pytest.approx(other.wasserstein, abs=1e-4)
    assert unit.ks == pytest.approx(other.ks, abs=1e-4)


def test_a_mean_that_moves_alone_moves_all_mass_by_as_much() -> None:
    found = of_normals(Statistics(100, 20.0, 2.0), Statistics(100, 25.0, 2.0))
    assert found.wasserstein == pytest.approx(2.5)
    # Half the distance to either mean: 2 * Phi(1.25) - 1.
    assert found.ks == pytest.approx(math.erf(1.25 / math.sqrt(2)))


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 2.0), (1.0, 1.0), (-1.5, 3.0), (2.0, 0.5)])
def test_the_closed_forms_are_what_samples_show(shift: float, spread: float) -> None:
    rng = random.Random(1)
    x = sorted(rng.gauss(0, 1) for _ in range(20_000))
    y = sorted(rng.gauss(shift, spread) for _ in range(20_000))
    found = of_normals(Statistics(20_000, 0.0, 1.0), Statistics(20_000, shift, spread))
    apart = sum(abs(a - b) for a, b in zip(x, y, strict=True)) / len(x)
    assert found.wasserstein == pytest.approx(apart, abs=0.05)


@pytest.mark.parametrize("std", [0.0, 1e-300])
def test_a_constant_that_jumps_is_far_and_finite(std: float) -> None:
    found = of_normals(Statistics(100, 7.0, std), Statistics(9, 8.0, 0.0))
    assert found.ks == pytest.approx(1.0)
    assert all(math.isfinite(x) for x in (found.psi, found.js, found.wasserstein or 0.0))
