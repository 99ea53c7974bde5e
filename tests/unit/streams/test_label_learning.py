"""Labels that come late, early, twice or wrong, and what is learned from them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.pipelines import Partition, configured, label, reading


def partition(task: str = "classification", **sections: Any) -> Partition:
    return Partition(configured(learner={"task": task}, **sections))


def event(n: int, x: float | None = None, event_id: str | None = None) -> bytes:
    return reading(
        "oven-2", n=n, features={"a": float(n % 7) if x is None else x}, event_id=event_id
    )


def test_a_label_is_learned_when_it_comes() -> None:
    at_work = partition()
    at_work.feed("sensors", event(0, event_id="b-1"))
    assert at_work.sensor("oven-2").examples == 0
    at_work.feed("labels", label("oven-2", "b-1", 1, n=86400 * 20))
    assert at_work.sensor("oven-2").examples == 1
    assert at_work.counts.labels == {"matched": 1}


def test_an_event_without_an_id_is_named_by_its_partition_and_offset() -> None:
    at_work = Partition(configured(learner={"task": "classification"}), number=3)
    at_work.feed("sensors", event(0), event(1))
    at_work.feed("labels", label("oven-2", "3-1", 1))
    assert at_work.counts.labels == {"matched": 1}


def test_a_label_that_comes_first_is_learned_with_its_event() -> None:
    at_work = partition(predictions={"enabled": True})
    at_work.feed("labels", label("oven-2", "b-1", "wet"))
    at_work.restart()
    at_work.feed("sensors", event(0, event_id="b-1"))
    assert at_work.counts.labels == {"early": 1, "matched": 1}
    assert at_work.sensor("oven-2").examples == 1
    # the prediction was made before the label was looked at
    assert at_work.written("predictions")[0]["prediction"] is None


def test_a_label_counts_once_however_often_it_comes() -> None:
    at_work = partition()
    at_work.feed("sensors", event(0, event_id="b-1"))
    at_work.feed("labels", *[label("oven-2", "b-1", 1)] * 3)
    assert at_work.counts.labels == {"matched": 1, "duplicate": 2}
    assert at_work.sensor("oven-2").examples == 1


def test_labels_of_a_task_that_needs_none_are_counted_and_leave_no_state() -> None:
    at_work = partition("forecast")
    at_work.feed("labels", label("oven-2", "b-1", 1))
    assert at_work.counts.labels == {"unused": 1}
    assert at_work.rows == {}


@pytest.mark.parametrize("truth", ["wet", True, "1.5"])
def test_a_label_of_the_wrong_type_for_regression_is_a_dead_letter(truth: object) -> None:
    at_work = partition("regression")
    at_work.feed("sensors", event(0, event_id="b-1"))
    before = at_work.state()
    at_work.feed("labels", label("oven-2", "b-1", truth))
    (letter,) = at_work.letters()
    headers = dict(letter.headers)
    assert headers["__connect.errors.exception.message"] == b"$.label: expected a finite number"
    assert headers["__connect.errors.topic"] == b"driftline.labels"
    assert letter.value == label("oven-2", "b-1", truth)
    assert at_work.state() == before
    at_work.feed("labels", label("oven-2", "b-1", 2.5))
    assert at_work.counts.labels == {"matched": 1}


def test_a_refused_label_of_an_unknown_sensor_leaves_no_state() -> None:
    at_work = partition("regression")
    at_work.feed("labels", label("nobody", "b-1", "wet"))
    assert at_work.rows == {}
    assert at_work.pipeline.sensors == 0


@pytest.mark.parametrize("truth", [1e308, -1e308, int("9" * 30), "x" * 200])
def test_extreme_labels_break_nothing(truth: object) -> None:
    for task in ("classification", "regression"):
        if task == "regression" and isinstance(truth, str):
            continue
        at_work = partition(task, predictions={"enabled": True}, detectors={"warmup": 100})
        for n in range(400):
            at_work.feed("sensors", event(n, event_id=f"b-{n}"))
            odd = n in (3, 160, 161)
            # five events late
            if n >= 5:
                right = (n - 5) % 7 // 4
                at_work.feed("labels", label("oven-2", f"b-{n - 5}", truth if odd else right, n=n))
        assert at_work.letters() == []
        sensor = at_work.sensor("oven-2")
        assert sensor.examples == 395
        last = [p["prediction"] for p in at_work.written("predictions")][-20:]
        expected = [n % 7 // 4 for n in range(380, 400)]
        if task == "classification":
            assert last == expected
        else:
            assert all(abs(p - e) < 1.0 for p, e in zip(last, expected, strict=True))
            assert sensor.prequential.value < 1.0


def test_predictions_that_wait_are_bounded_in_number_and_in_rows() -> None:
    at_work = partition(labels={"max_pending": 50})
    at_work.feed("sensors", *(event(n, event_id=f"b-{n}") for n in range(200)))
    assert len(at_work.sensor("oven-2").pending) == 50
    assert sum(key.startswith(b'["pending"') for key in at_work.rows) == 50
    assert at_work.counts.labels == {"evicted": 150}


def test_a_row_is_written_for_each_prediction_that_waits_and_deleted_with_its_label() -> None:
    at_work = partition()
    at_work.feed("sensors", event(0, event_id="b-1"), event(1, event_id="b-2"))
    at_work.feed("labels", label("oven-2", "b-1", 1))
    waiting = [name for name in at_work.state() if name[0] == "pending"]
    assert ("pending", "oven-2", "b-2") in waiting


def test_a_missing_reading_waits_for_no_label() -> None:
    at_work = partition()
    at_work.feed("sensors", reading("oven-2", n=0, features={"a": None, "b": 1.0}, event_id="b-1"))
    assert len(at_work.sensor("oven-2").pending) == 0
    assert at_work.counts.scored == 1


def test_what_the_model_before_expected_does_not_count_as_an_error_of_the_one_in_use() -> None:
    at_work = partition(policy={"relearn": "fresh"})
    for n in range(40):
        at_work.feed("sensors", event(n, event_id=f"b-{n}"))
        at_work.feed("labels", label("oven-2", f"b-{n}", n % 2))
    at_work.feed("sensors", event(40, event_id="b-40"))
    at_work.feed("control", b'{"command":"relearn","sensor_id":"oven-2"}')
    at_work.feed("labels", label("oven-2", "b-40", 1))
    sensor = at_work.sensor("oven-2")
    assert sensor.prequential.n == 0
    assert sensor.champion.learner.learned == 1


def test_drift_that_shows_in_labels_is_reported_for_the_event_they_belong_to() -> None:
    at_work = partition(policy={"enabled": False})
    draw = random.Random(4)
    late: list[bytes] = []
    for n in range(700):
        x = draw.uniform(-1.0, 1.0)
        at_work.feed("sensors", event(n, x, f"b-{n}"))
        late.append(label("oven-2", f"b-{n}", int((x > 0.0) ^ (n >= 350)), n=n + 50))
        if n >= 50:
            at_work.feed("labels", late[n - 50])
    drift = next(a for a in at_work.written("alerts") if a["kind"] == "drift")
    assert drift["signal"] == "error"
    assert drift["diagnosis"] == "concept"
    assert 340 <= drift["change_point"]["offset"] <= drift["source"]["offset"] <= 460
    seconds = drift["source"]["offset"]
    assert drift["ts"] == f"2026-01-05T12:{seconds // 60:02}:{seconds % 60:02}Z"


def test_a_shift_of_the_classes_is_prior_drift() -> None:
    at_work = partition(policy={"enabled": False}, detectors={"error": [], "feature": []})
    draw = random.Random(5)
    for n in range(600):
        at_work.feed("sensors", event(n, draw.random(), f"b-{n}"))
        ok = draw.random() < (0.9 if n < 300 else 0.2)
        at_work.feed("labels", label("oven-2", f"b-{n}", "ok" if ok else "scrap", n=n))
    drift = next(a for a in at_work.written("alerts") if a["kind"] == "drift")
    assert (drift["signal"], drift["diagnosis"]) == ("label", "prior")
    assert 290 <= drift["change_point"]["offset"] < 360


def test_the_same_labels_in_any_number_of_batches_teach_the_same() -> None:
    one, other = partition("regression"), partition("regression")
    events = [event(n, event_id=f"b-{n}") for n in range(50)]
    labels = [label("oven-2", f"b-{n}", n % 7, n=n) for n in range(50)]
    for at_work in (one, other):
        at_work.feed("sensors", *events)
    one.feed("labels", *labels)
    for each in labels:
        other.feed("labels", each)
        other.restart()
    assert one.state() == other.state()
