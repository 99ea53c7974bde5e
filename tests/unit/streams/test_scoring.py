"""What counts as a hit, a miss and a false alarm, and the figures that follow."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.scoring import Delay, Score, evenly_spaced, score, total
from streams.windows import Window

MINUTE = 60_000_000
TIMES = [MINUTE * n for n in range(100)]
WINDOW = Window(TIMES[50], TIMES[59])
LATER = Window(TIMES[80], TIMES[89])


@pytest.mark.parametrize("alarm", [50, 55, 59])
def test_an_alarm_from_the_first_to_the_last_event_of_a_window_hits_it(alarm: int) -> None:
    found = score(TIMES, [WINDOW], [alarm])
    assert (found.hits, found.missed, found.false_alarms) == (1, 0, 0)


@pytest.mark.parametrize("alarm", [0, 49, 60, 99])
def test_an_alarm_at_any_other_event_is_false(alarm: int) -> None:
    found = score(TIMES, [WINDOW], [alarm])
    assert (found.hits, found.missed, found.false_alarms) == (0, 1, 1)


def test_further_alarms_in_a_window_count_neither_way() -> None:
    one, three = score(TIMES, [WINDOW], [53]), score(TIMES, [WINDOW], [53, 54, 58])
    assert (one.delays, one.precision, one.f1) == (three.delays, three.precision, three.f1)
    assert (one.alarms, three.alarms) == (1, 3)


def test_the_delay_is_that_of_the_first_alarm_whatever_their_order() -> None:
    assert score(TIMES, [WINDOW], [58, 53]).delays == (Delay(3, 180.0),)


def test_events_of_a_delay_are_counted_from_the_first_event_and_time_from_the_start() -> None:
    early = Window(TIMES[50] - MINUTE // 2, TIMES[59])
    assert score(TIMES, [early], [52]).delays == (Delay(2, 150.0),)


def test_events_that_are_out_of_order_belong_to_the_window_of_their_time() -> None:
    times = [0, 5 * MINUTE, MINUTE, 2 * MINUTE, 9 * MINUTE]
    found = score(times, [Window(MINUTE, 2 * MINUTE)], [3])
    assert found.delays == (Delay(1, 60.0),)
    assert found.outside == 3


def test_the_figures_follow_from_the_counts() -> None:
    found = score(TIMES, [WINDOW, LATER], [10, 20, 30, 54])
    assert (found.precision, found.recall, found.f1) == (1 / 4, 1 / 2, 1 / 3)
    assert (found.mtd_events, found.mtd_seconds, found.mdr) == (4.0, 240.0, 0.5)
    assert found.mtfa_events == 80 / 3
    # 99 minutes in all; each window lasts nine minutes from its first to its last event.
    assert found.mtfa_seconds == (99 - 9 - 9) * 60 / 3


def test_a_window_beyond_the_data_takes_no_time_from_it() -> None:
    found = score(TIMES, [Window(TIMES[90], TIMES[99] + 50 * MINUTE)], [1])
    assert found.mtfa_seconds == 90 * 60


def test_what_cannot_be_told_is_none() -> None:
    silent = score(TIMES, [], [])
    assert (silent.precision, silent.recall, silent.f1, silent.mdr) == (None, None, None, None)
    assert (silent.mtfa_events, silent.mtfa_seconds) == (None, None)
    assert (silent.mtd_events, silent.mtd_seconds) == (None, None)
    assert score([], [], []).seconds_outside == 0.0


def test_an_alarm_where_nothing_changes_is_an_f1_of_0() -> None:
    found = score(TIMES, [], [5])
    assert (found.precision, found.recall, found.f1) == (0.0, None, 0.0)


def test_silence_where_something_changes_is_an_f1_of_0() -> None:
    found = score(TIMES, [WINDOW], [])
    assert (found.precision, found.recall, found.f1) == (None, 0.0, 0.0)


alarms = st.lists(st.integers(0, 99), max_size=20)


@given(alarms)
def test_every_alarm_is_false_or_lies_in_a_window(raised: list[int]) -> None:
    found = score(TIMES, [WINDOW, LATER], raised)
    inside = sum(50 <= a <= 59 or 80 <= a <= 89 for a in raised)
    assert found.alarms == len(raised) == found.false_alarms + inside
    assert found.hits + found.missed == 2
    assert found.events - found.outside == 20


@given(alarms, st.integers(-(10**15), 10**15))
def test_the_score_does_not_depend_on_when_time_begins(raised: list[int], by: int) -> None:
    times = [time + by for time in TIMES]
    windows = [Window(w.start + by, w.end + by) for w in (WINDOW, LATER)]
    assert score(times, windows, raised) == score(TIMES, [WINDOW, LATER], raised)


@given(st.lists(alarms, min_size=1, max_size=5))
def test_a_total_counts_as_if_sensors_were_one(raised: list[list[int]]) -> None:
    scores = [score(TIMES, [WINDOW, LATER], each) for each in raised]
    whole = total(scores)
    for name in ("events", "outside", "alarms", "false_alarms", "windows", "hits", "missed"):
        assert getattr(whole, name) == sum(getattr(each, name) for each in scores)
    assert whole.seconds_outside == pytest.approx(sum(each.seconds_outside for each in scores))


def test_a_total_of_nothing_has_nothing() -> None:
    assert total([]) == Score(0, 0, 0.0, 0, 0, ())


@given(st.integers(1, 1000), st.integers(0, 50))
def test_evenly_spaced_alarms_are_as_many_as_asked_for_and_equally_far_apart(
    events: int, count: int
) -> None:
    spaced = evenly_spaced(events, count)
    assert len(spaced) == count
    assert all(0 <= index < events for index in spaced)
    steps = {later - one for one, later in pairwise(spaced)}
    assert max(steps, default=0) - min(steps, default=0) <= 1
