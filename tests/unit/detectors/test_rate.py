"""How often a sensor sends: a changed rate is found, chance and pauses are not taken for one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.hygiene.rate import Rate
from detectors.signal import Finding, Position

Intervals = Callable[[random.Random, int], list[float]]
"""Seconds between events, from how many are wanted."""
NO_CLOCK = -1


def found(times: list[float], arrived: list[float] | None = None) -> list[tuple[int, Finding]]:
    """Index and finding of all that is found in event times, in seconds."""
    rate, last, all_found = Rate(), 0, []
    for n, time in enumerate(times):
        ts = int(time * 1e6) + 10**15
        came = NO_CLOCK if arrived is None else int(arrived[n] * 1e3) + 10**12
        finding = rate.update(Position(n, ts), last, came)
        last = ts
        if finding is not None:
            all_found.append((n, finding))
    return all_found


def regular(draw: random.Random, count: int) -> list[float]:
    return [60.0] * count


def jittered(draw: random.Random, count: int) -> list[float]:
    return [draw.uniform(0.0, 120.0) for _ in range(count)]


def exponential(draw: random.Random, count: int) -> list[float]:
    return [draw.expovariate(1 / 60.0) for _ in range(count)]


def with_pauses(draw: random.Random, count: int) -> list[float]:
    return [30_000.0 if n % 700 == 0 else draw.uniform(30.0, 90.0) for n in range(count)]


def lost(draw: random.Random, count: int) -> list[float]:
    return [60.0 * (1 + (draw.random() < 0.2) + (draw.random() < 0.1)) for _ in range(count)]


def wandering(draw: random.Random, count: int) -> list[float]:
    level, intervals = 0.0, []
    for _ in range(count):
        level = 0.8 * level + draw.gauss(0.0, 0.3)
        intervals.append(60.0 * 2.718281828**level)
    return intervals


def times_of(intervals: list[float]) -> list[float]:
    return list(itertools.accumulate(intervals))


@pytest.mark.parametrize(
    "intervals", [regular, jittered, exponential, with_pauses, lost, wandering]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_rate_that_stays_is_no_finding_however_irregular(intervals: Intervals, seed: int) -> None:
    assert found(times_of(intervals(random.Random(seed), 10_000))) == []


@pytest.mark.parametrize("seed", range(3))
def test_times_that_overtake_each_other_are_no_finding(seed: int) -> None:
    draw = random.Random(seed)
    jitter = [60.0 * n + draw.uniform(-60.0, 60.0) for n in range(10_000)]
    blocks = [60.0 * n for n in range(10_000)]
    for begins in range(0, 10_000, 50):
        block = blocks[begins : begins + 50]
        draw.shuffle(block)
        blocks[begins : begins + 50] = block
    assert found(jitter) == []
    assert found(blocks) == []


@pytest.mark.parametrize("a_second", [2, 10, 100])
def test_many_events_of_one_time_are_no_finding(a_second: int) -> None:
    assert found([float(n // a_second) for n in range(10_000)]) == []


@pytest.mark.parametrize("factor", [0.5, 2.0, 0.1, 10.0])
@pytest.mark.parametrize(
    ("intervals", "within"), [(regular, 25), (lost, 45), (jittered, 80), (exponential, 200)]
)
def test_twice_or_half_as_often_is_found_the_sooner_the_more_regular_the_sensor_is(
    intervals: Intervals, within: int, factor: float
) -> None:
    draw = random.Random(5)
    before, after = intervals(draw, 1000), intervals(draw, 400)
    ((n, finding), *_) = found(times_of([*before, *(factor * each for each in after)]))
    assert 1000 <= n < 1000 + within
    assert finding.direction == ("down" if factor < 1.0 else "up")
    assert finding.score is not None
    assert finding.threshold is not None
    assert finding.score > finding.threshold
    assert 980 <= finding.change_point.offset <= 1000 + within
    assert finding.before is not None
    assert finding.after is not None
    assert finding.before.mean == pytest.approx(sum(before) / len(before), rel=0.1)
    assert (finding.after.mean < finding.before.mean) == (factor < 1.0)


def test_the_new_rate_is_the_new_normal_and_the_way_back_is_a_change_too() -> None:
    intervals = [60.0] * 500 + [30.0] * 500 + [60.0] * 500
    changes = [(n // 500, finding.direction) for n, finding in found(times_of(intervals))]
    assert changes == [(1, "down"), (2, "up")]


def test_a_silence_that_ends_is_a_pause() -> None:
    assert found(times_of([*[60.0] * 500, 1e7, *[60.0] * 500])) == []


def test_a_clock_that_is_set_back_is_found_once() -> None:
    times = [60.0 * n for n in range(500)] + [60.0 * n - 7200.0 for n in range(500, 1000)]
    ((n, finding),) = found(times)
    assert 505 <= n <= 515
    assert finding.change_point.offset == 500
    assert (finding.kind, finding.direction) == ("drift", "down")
    assert finding.score == pytest.approx(6600.0, abs=700.0)


def test_a_clock_that_stands_still_is_found_once() -> None:
    times = [60.0 * min(n, 500) for n in range(2000)]
    ((n, finding),) = found(times)
    assert 500 < n < 600
    assert finding.direction == "down"


def test_one_time_in_the_far_future_makes_nothing_of_what_follows() -> None:
    times = [60.0 * n for n in range(1000)]
    arrived = [time + 2.0 for time in times]
    times[500] += 1e9
    ((n, finding),) = found(times, arrived)
    assert (n, finding.kind) == (500, "warning")
    assert finding.score == pytest.approx(1e9, rel=0.01)


def test_a_clock_that_is_set_far_ahead_of_the_brokers_is_a_warning_first_and_then_a_drift() -> None:
    times = [60.0 * n for n in range(1000)]
    arrived = [time + 2.0 for time in times]
    times[500:] = [time + 86_400.0 for time in times[500:]]
    kinds = [(n, finding.kind) for n, finding in found(times, arrived)]
    assert kinds == [*((n, "warning") for n in range(500, 509)), (509, "drift")]


def test_events_that_are_played_faster_than_their_time_are_not_ahead() -> None:
    assert found([60.0 * n for n in range(2000)], [0.001 * n for n in range(2000)]) == []


def test_without_a_brokers_clock_one_wrong_time_is_healed_in_a_hundred_events() -> None:
    draw = random.Random(3)
    times = [60.0 * n for n in range(3000)]
    for begins in range(0, 3000, 50):
        block = times[begins : begins + 50]
        draw.shuffle(block)
        times[begins : begins + 50] = block
    times[500] += 1e9
    faster = [times[1999] + 20.0 * n for n in range(1, 1000)]
    assert [n for n, _ in found([*times[:2000], *faster])][-1:] > [2000]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(0, 253_402_300_799_999_999), max_size=150),
    st.lists(st.integers(-1, 2**50), min_size=1, max_size=5),
)
def test_any_times_leave_numbers(times: list[int], arrived: list[int]) -> None:
    rate, last = Rate(), 0
    for n, (ts, came) in enumerate(zip(times, itertools.cycle(arrived), strict=False)):
        rate.update(Position(n, ts), last, came)
        last = ts
        assert all(number == number and abs(number) < 1e30 for number in rate.numbers)
