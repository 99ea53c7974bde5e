"""What comes from a fault upstream is told apart from drift: stuck readings, changed units."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from detectors.hygiene import CONVERSIONS, FEWEST, Repeats, conversion
from detectors.signal import Position, Statistics


def fed(values: list[float], repeats: Repeats | None = None) -> tuple[Repeats, list[int]]:
    """The state after these readings, and at which of them it was stuck."""
    repeats = repeats or Repeats()
    stuck = []
    for n, value in enumerate(values):
        repeats.update(value, Position(n, n * 1_000_000))
        if repeats.stuck:
            stuck.append(n)
    return repeats, stuck


def noise(count: int, seed: int = 1) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(20.0, 1.0) for _ in range(count)]


def test_a_reading_that_never_repeats_is_stuck_after_thirty_repeats() -> None:
    repeats, stuck = fed([*noise(300), *[20.5] * 60])
    assert stuck == list(range(300 + FEWEST + 1, 360))[: len(stuck)]
    assert stuck[0] <= 300 + FEWEST + 1
    assert repeats.began == Position(300, 300_000_000)


def test_it_is_no_longer_stuck_when_it_moves_and_has_learned_nothing_from_it() -> None:
    before, _ = fed(noise(300))
    after, stuck = fed([20.5] * 200 + [21.0], fed(noise(300))[0])
    assert stuck
    assert not after.stuck
    assert (after.repeats, after.longest) == (before.repeats, before.longest)
    assert after.seen == before.seen + 2


def test_a_constant_from_the_first_reading_on_is_not_stuck() -> None:
    assert fed([7.0] * 5000)[1] == []


def test_what_is_not_yet_known_is_not_called_stuck() -> None:
    assert fed([*noise(50), *[20.5] * 500])[1] == []


def poisson(rate: float) -> Callable[[random.Random], float]:
    def draw_from(draw: random.Random) -> float:
        limit, product, count = math.exp(-rate), draw.random(), 0
        while product > limit:
            product *= draw.random()
            count += 1
        return float(count)

    return draw_from


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "drawn",
    [
        poisson(0.1),
        poisson(0.5),
        poisson(3.0),
        lambda draw: float(draw.random() < 0.5),
        lambda draw: float(draw.random() < 0.02),
        lambda draw: round(draw.gauss(20.0, 0.05), 1),
        lambda draw: round(draw.gauss(20.0, 0.3)),
    ],
)
def test_counts_bits_and_rounded_readings_are_not_stuck(
    drawn: Callable[[random.Random], float], seed: int
) -> None:
    draw = random.Random(seed)
    assert fed([drawn(draw) for _ in range(20_000)])[1] == []


def test_a_slow_and_rounded_reading_is_not_stuck() -> None:
    draw = random.Random(4)
    values, level = [], 0.0
    for _ in range(20_000):
        level = 0.999 * level + draw.gauss(0.0, 0.02)
        values.append(round(level, 1))
    assert fed(values)[1] == []


def test_a_set_point_that_is_seldom_changed_is_not_stuck() -> None:
    draw = random.Random(5)
    values = [float(level) for level in range(40) for _ in range(draw.randrange(20, 400))]
    assert fed(values)[1] == []


@pytest.mark.parametrize("known", CONVERSIONS, ids=lambda known: known.name)
@pytest.mark.parametrize(("mean", "std"), [(20.0, 0.5), (350.0, 2.0)])
def test_each_conversion_is_recognised(known: object, mean: float, std: float) -> None:
    assert known in CONVERSIONS
    chosen = CONVERSIONS[CONVERSIONS.index(known)]  # type: ignore[arg-type]
    draw = random.Random(6)
    after = [chosen.factor * draw.gauss(mean, std) + chosen.offset for _ in range(12)]
    found = conversion(Statistics(500, mean, std), statistics(after))
    if abs(chosen.factor * mean + chosen.offset - mean) >= 8.0 * std:
        assert found is not None
        assert found.factor == pytest.approx(chosen.factor, rel=0.15)


def statistics(values: list[float]) -> Statistics:
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Statistics(len(values), mean, math.sqrt(squares / (len(values) - 1)))


def test_few_shifts_of_a_process_look_like_a_change_of_unit() -> None:
    draw = random.Random(7)
    taken = 0
    for _ in range(2000):
        mean, std = draw.uniform(5.0, 500.0), draw.uniform(0.01, 0.05)
        std *= mean
        shifted = mean + draw.choice([-1, 1]) * draw.uniform(1.0, 30.0) * std
        after = [draw.gauss(shifted, std) for _ in range(8)]
        taken += conversion(Statistics(500, mean, std), statistics(after)) is not None
    assert taken <= 80


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, Statistics(9, 68.0, 1.8)),
        (Statistics(500, 20.0, 1.0), None),
        (Statistics(500, 20.0, 0.0), Statistics(9, 68.0, 0.0)),
        (Statistics(500, 20.0, 1.0), Statistics(4, 68.0, 1.8)),
        (Statistics(500, 20.0, 1.0), Statistics(9, 22.0, 1.0)),
        (Statistics(500, 20.0, 1.0), Statistics(9, 68.0, 0.1)),
    ],
)
def test_what_does_not_say_enough_is_no_change_of_unit(
    before: Statistics | None, after: Statistics | None
) -> None:
    assert conversion(before, after) is None
