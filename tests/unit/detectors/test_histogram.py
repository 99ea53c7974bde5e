"""A variable as it was and as it is lately."""

from __future__ import annotations

import math
import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.histogram import BLOCK, CATEGORIES, MOST, Categories, Histogram


def fed(histogram: Histogram, values: list[float]) -> Histogram:
    """Feed values in blocks, the last of them whole or not."""
    for n, x in enumerate(values):
        if n and n % BLOCK == 0:
            histogram.turn()
        histogram.add(x)
    return histogram


def filled(values: list[float]) -> Histogram:
    return fed(Histogram(100), values)


def normal(n: int, mean: float = 20.0, std: float = 2.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, std) for _ in range(n)]


def test_nothing_is_said_before_there_is_enough() -> None:
    assert filled(normal(99)).distances() is None
    assert filled(normal(110)).distances() is None
    assert filled(normal(120)).distances() is not None


def test_values_as_before_have_not_moved() -> None:
    rng = random.Random(1)
    draws = (rng.gauss, rng.lognormvariate, lambda *_: float(int(rng.expovariate(0.5))))
    moved = 0
    for run in range(600):
        draw, n = draws[run % 3], rng.choice((170, 300, 1000))
        histogram = filled([draw(0.0, 1.0) for _ in range(n)])
        found = histogram.distances()
        assert found is not None
        moved += histogram.moved(found)
    assert moved <= 3


@pytest.mark.parametrize("std", [1e-9, 2.0, 1e9])
def test_a_shift_of_one_deviation_is_one_deviation_in_any_unit(std: float) -> None:
    histogram = filled([*normal(1000, 0.0, std), *normal(99, std, std, seed=2)])
    found = histogram.distances()
    assert found is not None
    assert histogram.moved(found)
    assert found.wasserstein == pytest.approx(1.0, abs=0.3)
    assert histogram.shift() == pytest.approx(1.0, abs=0.3)


def test_a_spread_that_doubles_has_moved_though_the_mean_has_not() -> None:
    histogram = filled([*normal(1000), *normal(99, std=6.0, seed=3)])
    found = histogram.distances()
    assert found is not None
    assert histogram.moved(found)
    assert abs(histogram.shift()) < 0.8


@pytest.mark.parametrize("usual", [[7.0], [0.0, 1.0], [0.0, 0.0, 0.0, 1.0, 2.0], [-3e-7]])
def test_few_values_have_a_bin_each_and_a_new_one_is_seen(usual: list[float]) -> None:
    rng = random.Random(1)
    histogram = filled([rng.choice(usual) for _ in range(500)])
    same = histogram.distances()
    assert same is not None
    assert not histogram.moved(same)
    fed(histogram, [usual[-1] + 10.0] * (3 * BLOCK))
    new = histogram.distances()
    assert new is not None
    assert new.ks is not None
    assert new.ks > 0.9


def test_a_constant_has_no_deviation_to_measure_in() -> None:
    found = filled([7.0] * 300 + [8.0] * 60).distances()
    assert found is not None
    assert found.wasserstein is None


def test_what_is_held_does_not_learn_the_change() -> None:
    held, learning = filled(normal(500)), filled(normal(500))
    held.hold()
    fed(held, normal(2000, mean=30.0))
    fed(learning, normal(2000, mean=30.0))
    kept, followed = held.distances(), learning.distances()
    assert kept is not None
    assert followed is not None
    assert kept.js > 0.8
    assert followed.js < 0.1


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.floats(-1e100, 1e100), min_size=130, max_size=300),
    cut=st.integers(0, 130),
)
def test_whatever_comes_distances_are_finite_and_a_copy_goes_on_alike(
    values: list[float], cut: int
) -> None:
    histogram = filled(values[:cut])
    copy = pickle.loads(pickle.dumps(histogram, protocol=5))
    fed(histogram, values[cut:])
    fed(copy, values[cut:])
    found = histogram.distances()
    assert found == copy.distances()
    if found is not None:
        assert all(
            math.isfinite(x) for x in (found.psi, found.js, found.ks, found.wasserstein or 0)
        )


def test_its_memory_is_bounded() -> None:
    histogram = filled(normal(30_000))
    assert histogram.counted[0] <= MOST
    assert len(pickle.dumps(histogram, protocol=5)) < 600


def test_categories_that_keep_their_shares_have_not_moved() -> None:
    rng = random.Random(1)
    moved = 0
    for _ in range(200):
        categories = Categories(100)
        for n in range(600):
            if n % BLOCK == 0:
                categories.turn()
            categories.add(rng.choice("AAB"))
        found = categories.distances()
        assert found is not None
        moved += categories.moved(found)
    assert moved <= 2


def test_a_category_that_becomes_common_has_moved() -> None:
    rng = random.Random(1)
    categories = Categories(100)
    for n in range(660):
        if n % BLOCK == 0:
            categories.turn()
        categories.add(rng.choice("AAAAB" if n < 600 else "AB"))
    found = categories.distances()
    assert found is not None
    assert categories.moved(found)
    assert found.ks is None


def test_categories_beyond_the_limit_are_counted_as_one() -> None:
    categories = Categories(100)
    for n in range(5000):
        if n % BLOCK == 0:
            categories.turn()
        categories.add(f"lot {n}")
    assert len(categories.names) == CATEGORIES
    assert len(pickle.dumps(categories, protocol=5)) < 1500
