"""A limit is taken from how far a statistic strays by itself."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.defaults import DETECTORS, calibrated, with_defaults
from detectors.excursions import FIRST, HIGHEST, LOWEST, Excursions, next_due
from detectors.signal import Position, SignalMonitor

VALUE = with_defaults(DETECTORS["value"])
RATE = 1e-5


def watched(values: list[float], rate: float = RATE) -> SignalMonitor:
    monitor = SignalMonitor(VALUE, warmup=100, calibrated=("page-hinkley",))
    for n, x in enumerate(values):
        monitor.update(x, Position(n, n))
        if monitor.due:
            monitor.calibrate(rate)
    return monitor


def threshold(monitor: SignalMonitor) -> float:
    (detector,) = monitor.detectors
    assert detector.threshold is not None
    return detector.threshold


def test_an_excursion_counts_once_it_is_over() -> None:
    past = Excursions()
    for score in (0.5, 3.0, 5.0, 4.0):
        past.update(score)
    assert (past.count, past.top) == (0, 5.0)
    past.update(0.2)
    assert (past.count, past.excess, past.top, past.largest) == (1, 3.0, 0.0, 5.0)


def test_what_comes_to_little_is_not_counted() -> None:
    past = Excursions()
    for score in (1.9, 0.0, 1.5, 0.0):
        past.update(score)
    assert past.count == 0


@given(st.lists(st.floats(0.0, 200.0), max_size=200), st.integers(1, 10**6))
def test_fewer_false_alarms_take_a_higher_limit(scores: list[float], n: int) -> None:
    past = Excursions()
    for score in scores:
        past.update(score)
    limits = [past.limit(n, rate) for rate in (1e-3, 1e-5, 1e-7, 1e-12)]
    assert limits == sorted(limits)
    assert limits[0] >= LOWEST
    assert limits[-1] <= HIGHEST


@given(st.lists(st.floats(0.0, 200.0), min_size=1, max_size=200))
def test_no_limit_is_below_what_was_no_alarm(scores: list[float]) -> None:
    past = Excursions()
    for score in scores:
        past.update(score)
    assert past.limit(len(scores), 1e-3) > max(scores)


def test_the_limit_is_taken_at_every_doubling() -> None:
    assert [next_due(n) for n in (0, FIRST - 1, FIRST, 2 * FIRST - 1, 2 * FIRST, 5000)] == [
        FIRST,
        FIRST,
        2 * FIRST,
        2 * FIRST,
        4 * FIRST,
        16 * FIRST,
    ]


def test_a_calm_sensor_gets_a_tighter_limit_than_it_began_with() -> None:
    draw = random.Random(3)
    values = [draw.gauss(20.0, 1.0) for _ in range(2000)]
    began, now = watched(values[: FIRST - 1]), watched(values)
    assert threshold(now) < 0.6 * threshold(began)


def test_a_restless_sensor_gets_a_wider_limit_than_a_calm_one() -> None:
    draw = random.Random(3)
    calm = [draw.gauss(20.0, 1.0) for _ in range(3000)]
    skewed = [draw.lognormvariate(0.0, 1.0) for _ in range(3000)]
    assert threshold(watched(skewed)) > 1.2 * threshold(watched(calm))


def test_a_smaller_budget_gives_a_wider_limit() -> None:
    draw = random.Random(3)
    values = [draw.gauss(20.0, 1.0) for _ in range(2000)]
    assert threshold(watched(values, 1e-8)) > threshold(watched(values, 1e-4))


def test_what_follows_a_drift_is_calibrated_anew() -> None:
    draw = random.Random(3)
    values = [draw.gauss(20.0 if n < 2000 else 25.0, 1.0) for n in range(2100)]
    assert threshold(watched(values)) == threshold(watched(values[:100]))


def test_a_change_under_way_does_not_raise_its_own_limit() -> None:
    draw = random.Random(3)
    due = 4 * FIRST
    values = [draw.gauss(20.0 if n < due - 24 else 21.0, 1.0) for n in range(due + 1)]
    before, after = watched(values[: due - 1]), watched(values)
    assert after.reference is not None, "it has been found already: nothing is to be seen"
    assert threshold(after) == threshold(before)
    calm = [draw.gauss(20.0, 1.0) for _ in values]
    assert threshold(watched(calm[: due - 1])) != threshold(watched(calm))


def test_the_first_limit_of_its_own_is_taken_whatever_there_is() -> None:
    draw = random.Random(3)
    values = [draw.gauss(20.0 if n < FIRST - 20 else 21.0, 1.0) for n in range(FIRST)]
    assert threshold(watched(values[:-1])) != threshold(watched(values))


def test_a_limit_that_was_set_by_hand_stays() -> None:
    assert calibrated(["page-hinkley", "adwin"]) == ("page-hinkley",)
    assert calibrated(["page-hinkley"], {"page-hinkley": {"threshold": 30.0}}) == ()
    assert calibrated(["cusum", "ddm"], {"cusum": {"k": 1.0}}) == ("cusum",)


@pytest.mark.parametrize("stream", ["calm", "skewed", "counts"])
def test_the_false_alarms_of_many_calm_sensors_stay_within_their_budget(stream: str) -> None:
    found, events, rate = 0, 0, 1e-4
    for seed in range(20):
        draw = random.Random(seed)
        monitor = SignalMonitor(VALUE, warmup=100, calibrated=("page-hinkley",))
        for n in range(5000):
            x = {
                "calm": draw.gauss(0.0, 1.0),
                "skewed": draw.lognormvariate(0.0, 1.0),
                "counts": float(sum(draw.random() < 0.3 for _ in range(10))),
            }[stream]
            found += len(monitor.update(x, Position(n, n)))
            if monitor.due:
                monitor.calibrate(rate)
            events += 1
    assert found <= 1.5 * rate * events
