"""Predictions waiting for labels, and labels waiting for events."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.labels import REMEMBERED, Early, Entry, Matched, Pending, PendingLabels

DAY = 86_400_000_000


def waiting(max_pending: int = 1000, max_age: int = 30 * DAY) -> PendingLabels:
    return PendingLabels(max_pending, max_age)


def add(
    labels: PendingLabels, event_id: str, ts: int = 0, offset: int = 0, prediction: object = 0
) -> object:
    return labels.add(
        event_id,
        {"temperature": 355.1},
        prediction=prediction,  # type: ignore[arg-type]
        ts=ts,
        offset=offset,
        version=3,
        challenger=1,
    )


def test_a_label_meets_its_event_with_all_that_was_kept() -> None:
    labels = waiting()
    assert add(labels, "b-1", ts=5, offset=7, prediction="good") is None
    arrival = labels.label("b-1", "bad", ts=2 * DAY)
    assert arrival.outcome == "matched"
    assert arrival.pending is not None
    assert arrival.pending.features == {"temperature": 355.1}
    assert (arrival.pending.prediction, arrival.pending.challenger) == ("good", 1)
    assert (arrival.pending.ts, arrival.pending.offset, arrival.pending.version) == (5, 7, 3)
    assert len(labels) == 0


def test_an_early_label_is_handed_over_when_its_event_comes() -> None:
    labels = waiting()
    assert labels.label("b-1", 1, ts=0).outcome == "early"
    assert add(labels, "b-1") == 1
    assert len(labels) == 0
    assert labels.label("b-1", 1, ts=0).outcome == "duplicate"
    assert labels.drain_counts() == {"early": 1, "matched": 1, "duplicate": 1}


@pytest.mark.parametrize("label", [0, False, 0.0, ""])
def test_an_early_label_that_is_false_in_python_is_handed_over_too(label: float | str) -> None:
    labels = waiting()
    labels.label("b-1", label, ts=0)
    found = add(labels, "b-1")
    assert found == label
    assert type(found) is type(label)


def test_a_second_label_is_a_duplicate_whatever_it_says() -> None:
    labels = waiting()
    add(labels, "b-1")
    labels.label("b-1", 1, ts=0)
    assert labels.label("b-1", 0, ts=0).outcome == "duplicate"


def test_a_second_early_label_is_a_duplicate_and_the_first_counts() -> None:
    labels = waiting()
    labels.label("b-1", 1, ts=0)
    assert labels.label("b-1", 0, ts=0).outcome == "duplicate"
    assert add(labels, "b-1") == 1


def test_of_two_events_with_one_id_the_first_gets_the_label() -> None:
    labels = waiting()
    add(labels, "b-1", offset=1)
    add(labels, "b-1", offset=2)
    arrival = labels.label("b-1", 1, ts=0)
    assert arrival.pending is not None
    assert arrival.pending.offset == 1
    add(labels, "b-1", offset=3)
    assert len(labels) == 0


def test_when_too_many_wait_the_oldest_goes() -> None:
    labels = waiting(max_pending=3)
    for i in range(5):
        add(labels, str(i))
    assert len(labels) == 3
    assert labels.drain_counts() == {"evicted": 2}
    assert labels.label("0", 1, ts=0).outcome == "early"
    assert labels.label("2", 1, ts=0).outcome == "matched"


def test_early_labels_are_bounded_too_and_the_oldest_is_an_orphan() -> None:
    labels = waiting(max_pending=3)
    for i in range(5):
        labels.label(str(i), 1, ts=0)
    assert labels.drain_counts() == {"early": 5, "orphan": 2}
    assert add(labels, "0") is None
    assert add(labels, "2") == 1


def test_a_prediction_that_waits_too_long_expires() -> None:
    labels = waiting(max_age=30 * DAY)
    for day in range(33):
        add(labels, str(day), ts=day * DAY)
    assert labels.drain_counts() == {"expired": 2}
    assert labels.label("1", 1, ts=33 * DAY).outcome == "early"
    assert labels.label("2", 1, ts=33 * DAY).outcome == "matched"


def test_a_label_whose_event_never_comes_is_an_orphan() -> None:
    labels = waiting(max_age=30 * DAY)
    labels.label("lost", 1, ts=0)
    for day in range(40):
        add(labels, str(day), ts=day * DAY)
    assert labels.drain_counts()["orphan"] == 1


def test_labels_of_a_sensor_that_sends_no_event_are_bounded_in_number_not_in_age() -> None:
    waiting = PendingLabels(max_pending=5, max_age=DAY)
    for n in range(20):
        assert waiting.label(f"b-{n}", n, ts=100 * n * DAY).outcome == "early"
    assert waiting.drain_counts() == {"early": 20, "orphan": 15}
    # The first event says what time it is.
    waiting.add("b-19", {}, prediction=None, ts=2000 * DAY, offset=0)
    assert waiting.drain_counts() == {"matched": 1, "orphan": 4}


def test_one_event_with_a_date_in_the_far_future_expires_nothing() -> None:
    labels = waiting(max_age=30 * DAY)
    for minute in range(10):
        add(labels, str(minute), ts=minute * 60_000_000)
    add(labels, "wrong clock", ts=900_000 * DAY)
    add(labels, "next", ts=11 * 60_000_000)
    assert labels.drain_counts() == {}
    assert len(labels) == 12


def test_the_last_thousand_labelled_events_are_remembered() -> None:
    labels = waiting()
    for i in range(REMEMBERED + 1):
        add(labels, str(i))
        labels.label(str(i), 1, ts=0)
    labels.drain_counts()
    assert labels.label("1", 1, ts=0).outcome == "duplicate"
    assert labels.label("0", 1, ts=0).outcome == "early"


def test_long_strings_are_kept_short() -> None:
    labels = waiting()
    labels.add("b-1", {"note": "x" * 1_000_000}, prediction=None, ts=0, offset=0)
    pending = labels.label("b-1", 1, ts=0).pending
    assert pending is not None
    assert len(str(pending.features["note"])) <= 64


def test_changes_are_listed_once() -> None:
    labels = waiting()
    add(labels, "b-1")
    labels.label("b-2", 1, ts=0)
    first = labels.changes()
    assert [(event_id, type(entry)) for event_id, entry in first] == [
        ("b-1", Pending),
        ("b-2", Early),
    ]
    assert labels.changes() == []
    labels.label("b-1", 1, ts=0)
    [(event_id, entry)] = labels.changes()
    assert (event_id, type(entry)) == ("b-1", Matched)


def test_what_is_gone_is_listed_as_none_only_if_it_was_listed_before() -> None:
    labels = waiting(max_pending=1)
    add(labels, "b-1")
    labels.changes()
    add(labels, "b-2")
    add(labels, "b-3")
    assert [(event_id, entry is None) for event_id, entry in labels.changes()] == [
        ("b-1", True),
        ("b-3", False),
    ]


def test_without_anyone_asking_for_changes_memory_is_bounded() -> None:
    labels = waiting(max_pending=10)
    for i in range(5000):
        add(labels, str(i))
        labels.label(str(i) if i % 2 else f"lost-{i}", 1, ts=0)
    assert len(labels.changes()) <= 10 + 10 + REMEMBERED


step = st.tuples(
    st.sampled_from(["add", "label"]), st.integers(0, 12), st.integers(0, 60), st.booleans()
)


def play(labels: PendingLabels, steps: list[tuple[str, int, int, bool]]) -> list[object]:
    said: list[object] = []
    for what, number, day, _ in steps:
        if what == "add":
            said.append(add(labels, str(number), ts=day * DAY, offset=number))
        else:
            said.append(labels.label(str(number), number, ts=day * DAY))
    return said


@settings(max_examples=200, deadline=None)
@given(before=st.lists(step, max_size=40), after=st.lists(step, max_size=40), seed=st.integers())
def test_restored_from_its_changes_it_goes_on_as_if_nothing_had_been(
    before: list[tuple[str, int, int, bool]],
    after: list[tuple[str, int, int, bool]],
    seed: int,
) -> None:
    original = waiting(max_pending=4, max_age=20 * DAY)
    stored: dict[str, Entry] = {}
    for one in before:
        play(original, [one])
        if one[3]:
            store(original, stored)
    store(original, stored)
    restored = waiting(max_pending=4, max_age=20 * DAY)
    restored.restore_head(original.head())
    entries = list(stored.items())
    random.Random(seed).shuffle(entries)
    for event_id, entry in entries:
        restored.restore(event_id, entry)
    original.drain_counts()
    assert play(restored, after) == play(original, after)
    assert restored.drain_counts() == original.drain_counts()
    assert restored.changes() == original.changes()
    assert restored.head() == original.head()


def store(labels: PendingLabels, stored: dict[str, Entry]) -> None:
    for event_id, entry in labels.changes():
        if entry is None:
            del stored[event_id]
        else:
            stored[event_id] = entry
