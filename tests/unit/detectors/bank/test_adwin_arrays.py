"""What is ADWIN's alone: when it looks, how much it holds, its short forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.adwin import Adwin
from detectors.bank import adwin
from schemas.compiled import AVAILABLE
from tests.values import REAL_KINDS, stream

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs numba")

Arrays = tuple[Any, int, Any, Any]

UNUSED = 7.0
"""In every place that no one has written to."""


def new(max_buckets: int = 5) -> Arrays:
    arrays = (
        np.full(adwin.HEAD, UNUSED),
        0,
        np.full(adwin.LEVELS, 1, np.int32),
        np.full((2, adwin.LEVELS, max_buckets + 1), UNUSED),
    )
    adwin.reset(*arrays)
    return arrays


def frozen(detector: Adwin) -> Arrays:
    arrays = new(detector.parameters["max_buckets"])
    assert adwin.freeze(detector, *arrays)
    return arrays


def packed(arrays: Arrays) -> Any:
    out = np.full(adwin.longest(arrays[3].shape[2] - 1), np.nan)
    return out[: adwin.pack(*arrays, out, 0)]


def bits(arrays: Arrays) -> bytes:
    head, _, counts, buckets = arrays
    in_use = np.arange(buckets.shape[2]) < counts[:, np.newaxis]
    parts = (head, counts, buckets[0][in_use], buckets[1][in_use])
    return b"".join(part.tobytes() for part in parts)


def same(one: Arrays, other: Arrays) -> bool:
    return bits(one) == bits(other)


def most_values(max_buckets: int) -> int:
    return max_buckets * (2**adwin.LEVELS - 1)


streams = st.builds(
    stream, st.sampled_from(REAL_KINDS), st.integers(0, 2**32), st.integers(0, 1200)
)
adwins = st.builds(
    Adwin,
    delta=st.sampled_from([0.002, 0.3, 1.0]),
    clock=st.integers(1, 64),
    max_buckets=st.integers(2, 10),
    min_window_length=st.integers(1, 50),
    grace_period=st.integers(0, 200),
)


@given(detector=adwins, values=streams)
@settings(max_examples=60, deadline=None)
def test_only_a_step_that_was_due_finds_a_drift(detector: Adwin, values: list[float]) -> None:
    arrays, params = new(detector.parameters["max_buckets"]), adwin.parameters(detector)
    for x in values:
        due = adwin.due(*arrays[:2], params, 0)
        found = adwin.step(*arrays, x, params, 0)
        assert due or found == 0


def test_a_step_is_due_at_every_tick_of_the_clock_beyond_the_grace_period() -> None:
    arrays = new()
    params = adwin.parameters(Adwin(clock=7, grace_period=20))
    due = []
    for i in range(1, 60):
        if adwin.due(*arrays[:2], params, 0):
            due.append(i)
        adwin.step(*arrays, 0.5, params, 0)
    assert due == [21, 28, 35, 42, 49, 56]


def test_after_a_drift_the_clock_begins_anew() -> None:
    params = adwin.parameters(Adwin(delta=0.3, clock=3, grace_period=0, min_window_length=2))
    arrays = new()
    for x in stream("jumps", 1, 500):
        if adwin.step(*arrays, x, params, 0) == 1:
            break
    due = []
    for _ in range(7):
        due.append(bool(adwin.due(*arrays[:2], params, 0)))
        adwin.step(*arrays, 0.0, params, 0)
    assert due == [False, False, True, False, False, True, False]


@pytest.mark.parametrize("max_buckets", [2, 3, 5, 10])
def test_zeros_are_what_as_many_updates_with_zero_lead_to(max_buckets: int) -> None:
    detector = Adwin(max_buckets=max_buckets)
    arrays = new(max_buckets)
    for n in range(700):
        assert adwin.zeros(*arrays, n)
        assert same(arrays, frozen(detector))
        detector.update(0.0)


@given(n=st.integers(0, 60_000), max_buckets=st.integers(2, 12))
@settings(max_examples=15, deadline=None)
def test_many_zeros_are_what_as_many_updates_lead_to(n: int, max_buckets: int) -> None:
    detector = Adwin(max_buckets=max_buckets)
    for _ in range(n):
        detector.update(0.0)
    arrays = new(max_buckets)
    assert adwin.zeros(*arrays, n)
    assert same(arrays, frozen(detector))


def test_there_is_room_for_as_many_values_as_all_levels_hold() -> None:
    arrays = new(max_buckets=2)
    assert adwin.zeros(*arrays, most_values(2))
    assert arrays[2].tolist() == [2] * adwin.LEVELS
    assert not adwin.zeros(*arrays, most_values(2) + 1)
    assert same(arrays, new(max_buckets=2))


def test_a_step_without_room_changes_nothing() -> None:
    arrays, untouched = new(max_buckets=2), new(max_buckets=2)
    params = adwin.parameters(Adwin(max_buckets=2, clock=1))
    assert adwin.zeros(*arrays, most_values(2) - 1)
    assert adwin.step(*arrays, 0.0, params, 0) == 0
    assert adwin.zeros(*untouched, most_values(2))
    assert adwin.step(*arrays, 1.0, params, 0) == -1
    assert same(arrays, untouched)


def test_a_window_of_more_levels_than_there_are_is_not_frozen() -> None:
    detector = Adwin(max_buckets=2)
    arrays = new(max_buckets=2)
    assert adwin.zeros(*arrays, most_values(2))
    adwin.thaw(*arrays, detector)
    assert adwin.freeze(detector, *arrays)
    detector.update(0.0)
    before = bits(arrays)
    assert not adwin.freeze(detector, *arrays)
    assert bits(arrays) == before


@given(detector=adwins, values=streams, data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_packed_is_unpacked_to_the_last_bit(
    detector: Adwin, values: list[float], data: st.DataObject
) -> None:
    arrays, params = new(detector.parameters["max_buckets"]), adwin.parameters(detector)
    moments = data.draw(st.sets(st.integers(0, len(values)), max_size=5))
    back = new(detector.parameters["max_buckets"])
    for i, x in enumerate(values):
        if adwin.step(*arrays, x, params, 0) == 1 or i in moments:
            numbers = np.concatenate([np.full(3, np.nan), packed(arrays), np.full(1, np.nan)])
            assert adwin.unpack(numbers, 3, *back) == len(numbers) - 1
            assert same(back, arrays)


def test_a_window_packs_into_its_buckets_and_three_numbers() -> None:
    arrays, params = new(), adwin.parameters(Adwin())
    for n in range(1, 300):
        adwin.step(*arrays, float(n % 2), params, 0)
        buckets = int(arrays[2].sum())
        assert len(packed(arrays)) == 3 + 2 * buckets - arrays[2][0]


def test_nothing_packs_longer_than_the_longest() -> None:
    arrays = new(max_buckets=3)
    assert adwin.zeros(*arrays, most_values(3))
    arrays[0][4] = most_values(3)  # as after a drift, when the counts are packed too
    assert len(packed(arrays)) == adwin.longest(3)


def _spoilt() -> list[tuple[str, list[float]]]:
    good = [3.0, 6.0, 2.0, 1.0, 2.0, 3.0]
    drift = [-40.0, 2.0, 1.0, 1.0, 9.0, 2.0, 1.0, 4.0, 0.5]
    return [
        ("nothing", []),
        ("a width that is no number", [np.nan, *good[1:]]),
        ("half a value", [2.5, *good[1:]]),
        ("more values than any", [1e300, *good[1:]]),
        ("more values than there is room for", [2.0**31, *good[1:]]),
        ("buckets missing", good[:-1]),
        ("no total", good[:1]),
        ("no levels", [-40.0, 0.0, 1.0, 1.0]),
        ("too many levels", [-40.0, 25.0, *[1.0] * 200]),
        ("levels missing", [-40.0]),
        ("counts missing", [-40.0, 20.0, 1.0, 1.0]),
        ("a count below 0", [*drift[:2], -1.0, *drift[3:]]),
        ("a count beyond the array", [*drift[:2], 6.0, *[1.0] * 200]),
        ("a count that is no number", [*drift[:2], np.nan, *drift[3:]]),
        ("a variance missing after a drift", drift[:-1]),
    ]


@pytest.mark.parametrize(("what", "numbers"), _spoilt())
def test_what_is_no_state_is_refused_and_leaves_a_new_detector(
    what: str, numbers: list[float]
) -> None:
    arrays = new()
    assert adwin.zeros(*arrays, 100)
    assert adwin.unpack(np.array(numbers), 0, *arrays) == -1
    assert same(arrays, new())
