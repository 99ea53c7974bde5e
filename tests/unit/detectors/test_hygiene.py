"""Stuck readings and changed units are told apart from drift."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from detectors.hygiene import CONVERSIONS, Conversion, Repeats, conversion
from detectors.hygiene.stuck import FEWEST
from detectors.hygiene.unit import JUDGED, Verdict, judge
from detectors.moments import Statistics
from detectors.signal import Position


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


def verdict(before: Statistics, readings: list[float], wander: float = 1.0) -> Verdict:
    """What a jump that was found after eight readings is said to be in the end."""
    for n in range(8, len(readings) + 1):
        rest = statistics(readings[8:n]) if n > 9 else Statistics(n - 8, readings[-1], 0.0)
        said = judge(before, statistics(readings[:8]), rest, wander)
        if said != "open":
            return said
    return "open"


@pytest.mark.parametrize("known", CONVERSIONS, ids=lambda known: known.name)
@pytest.mark.parametrize(("mean", "std"), [(20.0, 0.5), (350.0, 2.0), (-4.0, 0.01)])
def test_each_conversion_is_recognised(known: Conversion, mean: float, std: float) -> None:
    if abs(known.factor * mean + known.offset - mean) < 10.5 * std:
        pytest.skip("moves the mean by less than is looked at")
    draw, named, before = random.Random(6), 0, Statistics(500, mean, std)
    for _ in range(100):
        after = [known.factor * draw.gauss(mean, std) + known.offset for _ in range(JUDGED)]
        named += verdict(before, after) == "unit"
    assert named >= 92


@pytest.mark.parametrize("factor", [2.2, 2.54, 4.2, 0.4536, 1 / 3.785, 745.7])
def test_a_factor_that_no_table_knows_is_recognised(factor: float) -> None:
    draw, named, before = random.Random(7), 0, Statistics(500, 50.0, 0.8)
    for _ in range(100):
        named += verdict(before, [factor * draw.gauss(50.0, 0.8) for _ in range(JUDGED)]) == "unit"
    assert named >= 92


def test_a_reading_that_goes_on_climbing_is_no_other_unit() -> None:
    draw = random.Random(8)
    readings = [3.6 * (20.0 + 0.1 * n + draw.gauss(0.0, 0.5)) for n in range(JUDGED)]
    assert verdict(Statistics(500, 20.0, 0.5), readings) == "process"


def test_a_large_factor_is_recognised_from_the_first_readings() -> None:
    draw = random.Random(9)
    readings = [1000.0 * draw.gauss(20.0, 0.5) for _ in range(8)]
    assert verdict(Statistics(500, 20.0, 0.5), readings) == "unit"


def statistics(values: list[float]) -> Statistics:
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Statistics(len(values), mean, math.sqrt(squares / (len(values) - 1)))


@pytest.mark.parametrize("farthest", [30.0, 300.0])
def test_few_shifts_of_a_process_look_like_a_change_of_unit(farthest: float) -> None:
    draw = random.Random(7)
    taken, told_late = 0, 0
    for _ in range(2000):
        mean, std = draw.uniform(5.0, 500.0), draw.uniform(0.01, 0.05)
        std *= mean
        shifted = mean + draw.choice([-1, 1]) * draw.uniform(1.0, farthest) * std
        after = [draw.gauss(shifted, std) for _ in range(JUDGED)]
        before = Statistics(500, mean, std)
        said = verdict(before, after)
        assert said != "open"
        taken += said == "unit"
        told_late += verdict(before, after[:8]) == "open"
    assert taken <= 60
    assert told_late <= 500


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
