"""The time of day is learned, and what it does not explain is judged."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from detectors.season import HOUR, Season, place_of

MINUTE = HOUR // 60
MONDAY = 4 * 24 * HOUR
"""The first Monday after the first of January 1970."""


def learned(level: Callable[[int], float], days: int, step: int = 10) -> Season:
    draw, season = random.Random(4), Season()
    for n in range(days * 1440 // step):
        ts = MONDAY + n * step * MINUTE
        value = draw.gauss(level(n * step), 1.0)
        of_the_hour = season.expected(ts)
        season.advance(ts, value if math.isnan(of_the_hour) else value - of_the_hour, 20.0)
    return season


def wave(minute: int) -> float:
    return 20.0 + 5.0 * math.sin(2 * math.pi * minute / 1440)


def test_hours_of_working_days_and_of_weekends_stand_apart() -> None:
    hours = [MONDAY // HOUR + 24 * day + 5 for day in range(7)]
    assert [place_of(hour) for hour in hours] == [5] * 5 + [29] * 2


def test_a_wave_holds_after_a_day_and_is_what_is_expected() -> None:
    season = learned(wave, days=3)
    assert season.holds
    for hour in (3, 6, 12, 18):
        ts = MONDAY + 3 * 24 * HOUR + hour * HOUR
        assert season.expected(ts) == pytest.approx(wave(60 * hour) - 20.0, abs=1.0)


def test_nothing_is_expected_before_a_day_is_over() -> None:
    season = learned(wave, days=1)
    assert not season.holds
    assert season.first_day(MONDAY + 23 * HOUR)
    assert season.expected(MONDAY + 23 * HOUR) == 0.0


@pytest.mark.parametrize("days", [2, 6])
def test_noise_is_no_season(days: int) -> None:
    assert not learned(lambda _: 20.0, days).holds


def test_the_first_weekend_is_learned_before_it_is_judged() -> None:
    season = learned(wave, days=5)
    saturday = MONDAY + 5 * 24 * HOUR
    assert math.isnan(season.expected(saturday))
    season.advance(saturday, 12.0, 20.0)
    season.advance(saturday + HOUR, 12.0, 20.0)
    assert season.expected(saturday + 24 * HOUR) == pytest.approx(12.0 - 20.0, abs=0.5)


def test_a_season_that_ends_holds_no_longer() -> None:
    season = learned(lambda minute: wave(minute) if minute < 4 * 1440 else 20.0, days=5)
    draw = random.Random(9)
    for n in range(40 * 144):
        ts = MONDAY + 7 * 24 * HOUR + n * 10 * MINUTE
        value = draw.gauss(20.0, 1.0)
        of_the_hour = season.expected(ts)
        season.advance(ts, value if math.isnan(of_the_hour) else value - of_the_hour, 20.0)
    assert not season.holds


def test_a_late_event_changes_no_hour_that_is_over() -> None:
    one, other = learned(wave, days=2), learned(wave, days=2)
    other.advance(MONDAY, 1e6, 20.0)
    assert (one.floats, one.integers) == (other.floats, other.integers)
