"""Classes as signals: their shares, their recall, and predictions whose labels come late."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from streams.class_signals import class_name, series, signal_of
from streams.inspection import _described
from tests.pipelines import Partition, configured, label, reading

Draw = Callable[[random.Random, int], tuple[dict[str, Any], Any]]


def partition(task: str = "classification", **sections: Any) -> Partition:
    sections = {
        "detectors": {"warmup": 100},
        "learner": {"task": task, "grace": 100},
        "labels": {"max_pending": 5000},
        "episodes": {"quiet_events": 200},
    } | sections
    return Partition(configured(**sections))


def feed(
    at_work: Partition, draw: Draw, events: int, *, late: int = 0, shuffle: bool = False
) -> Partition:
    """Feed oven-2, each label so many events after its event, in order or not."""
    rng, waiting = random.Random(1), []
    for n in range(events):
        x, y = draw(rng, n)
        event = reading("oven-2", n=n, features=x, event_id=f"e{n}")
        at_work.work("sensors", [at_work.record("sensors", event)])
        waiting.append((n, y))
        if len(waiting) > late:
            first, truth = waiting.pop(rng.randrange(min(len(waiting), 50)) if shuffle else 0)
            record = at_work.record("labels", label("oven-2", f"e{first}", truth, n=n))
            at_work.work("labels", [record])
    at_work.checkpoint()
    return at_work


def told(at_work: Partition, kind: str = "drift") -> list[dict[str, Any]]:
    return [a for a in at_work.written("alerts") if a["kind"] == kind]


# Names.


def test_a_class_is_the_same_however_its_number_is_written() -> None:
    assert class_name(1) == class_name(1.0) == class_name(True) == "1"
    assert class_name("good") == "good"
    assert class_name(1e308) == "1e+308"


def test_two_classes_are_one_series_and_three_are_one_more_each() -> None:
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    assert dict(series("label", ("a", "b"), shares.__getitem__)) == {"label": 0.5}
    of_three = dict(series("label", ("a", "b", "c"), shares.__getitem__))
    assert of_three == {"label": 0.5, "label:b": 0.3, "label:c": 0.2}
    assert [signal_of(name) for name in of_three] == ["label"] * 3


# Labels.


def noise(rng: random.Random) -> dict[str, Any]:
    return {"a": rng.gauss(0, 1)}


@pytest.mark.parametrize(
    ("before", "after"),
    [((-1, 0, 1), (0, 0, 0, -1, 1)), (("x", "y", "z"), ("x", "x", "x", "y", "z"))],
)
def test_other_shares_are_found_though_the_mean_of_the_classes_stays(
    before: tuple[Any, ...], after: tuple[Any, ...]
) -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        return noise(rng), rng.choice(before if n < 1000 else after)

    (first, *_) = told(feed(partition(), draw, 2000))
    assert (first["signal"], first["detector"]) == ("label", "adwin")
    assert 1000 <= first["source"]["offset"] < 1700


def test_a_class_called_1e308_deafens_nothing() -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        rare = 1e308 if n == 50 else 0
        return noise(rng), int(rng.random() < (0.2 if n < 1000 else 0.7)) or rare

    at_work = partition(detectors={"warmup": 100, "error": []})
    (first, *_) = told(feed(at_work, draw, 1500))
    assert first["signal"] == "label"
    assert 1000 <= first["source"]["offset"] < 1300


def test_a_class_that_comes_into_being_late_is_found() -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        return noise(rng), "new" if n >= 1000 and rng.random() < 0.4 else rng.choice("ab")

    (first, *_) = told(feed(partition(), draw, 1600))
    assert first["signal"] == "label"
    assert first["source"]["offset"] < 1200


def test_labels_that_keep_their_shares_raise_nothing() -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        return noise(rng), rng.choice("aaaabbc")

    assert feed(partition(), draw, 4000).written("alerts") == []


def band(rng: random.Random, n: int, spread: float = 1.0) -> tuple[dict[str, Any], Any]:
    """Bad in a band beyond one on both sides: a wider spread brings more of it."""
    a = rng.gauss(0, spread)
    return {"a": a, "b": rng.gauss(0, 1)}, "bad" if abs(a) > 1 else "good"


def test_late_labels_out_of_order_find_a_concept_drift() -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        x, y = band(rng, n)
        return x, y if n < 1500 else {"bad": "good", "good": "bad"}[y]

    (first, *_) = told(feed(partition(), draw, 3000, late=400, shuffle=True))
    assert (first["signal"], first["diagnosis"]) == ("error", "concept")
    assert 1500 <= first["source"]["offset"] < 1800


# Predictions.

TWO_DAYS = 600


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_predictions_that_move_are_a_warning_before_labels_come(task: str) -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        x, y = band(rng, n, 1.0 if n < 2000 else 2.2)
        if task == "regression":
            x["a"] = x["a"] * x["a"]
            return x, x["a"] + rng.gauss(0, 0.2)
        return x, y

    sections: dict[str, Any] = {"detectors": {"warmup": 100, "feature": []}}
    at_work = feed(partition(task, **sections), draw, 2000 + TWO_DAYS - 1, late=TWO_DAYS)
    (warning,) = told(at_work, "warning")
    assert warning["signal"] == "prediction"
    assert warning["diagnosis"] == "data"
    assert 2000 <= warning["source"]["offset"] < 2000 + TWO_DAYS
    assert warning["evidence"][0]["moved"]
    assert told(at_work) == []


def test_predictions_of_a_model_that_still_learns_are_no_warning() -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        x, y = band(rng, n)
        return x, y

    assert feed(partition(), draw, 4000).written("alerts") == []


def test_without_detectors_of_predictions_nothing_is_watched() -> None:
    at_work = feed(partition(detectors={"warmup": 100, "prediction": []}), band, 400)
    assert not any(name.startswith("prediction") for name in at_work.sensor("oven-2").monitors)


# Rare classes.


def rare_class(rng: random.Random, n: int, found_until: int = 10**9) -> tuple[dict[str, Any], Any]:
    """Two in a hundred are faults, and show in `a`, until they look like all others.

    The others are of two kinds, and one in ten of these is called the wrong one.
    """
    fault = rng.random() < 0.02
    shows = fault and n < found_until
    b = rng.gauss(0, 1)
    kind = "fine" if (b > 0) != (rng.random() < 0.1) else "fair"
    return {"a": rng.gauss(6.0 if shows else 0.0, 1.0), "b": b}, "fault" if fault else kind


def test_a_rare_class_that_is_no_longer_found_is_told_though_few_answers_are_wrong() -> None:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        return rare_class(rng, n, found_until=4000)

    at_work = feed(partition(), draw, 7000)
    (first, *_) = told(at_work)
    assert (first["signal"], first["detector"], first["diagnosis"]) == (
        "error",
        "hddm-w",
        "concept",
    )
    assert 4000 <= first["source"]["offset"] < 6500
    assert "fault" in [entry["name"] for entry in first["evidence"]]
    sensor = at_work.sensor("oven-2")
    assert (sensor.prequential.value or 1.0) < 0.2
    assert sensor.classes is not None
    assert (sensor.classes.geometric_mean or 0.0) < 0.7


def test_a_rare_class_that_is_found_as_ever_raises_nothing() -> None:
    assert told(feed(partition(), rare_class, 8000)) == []


def test_state_show_tells_recall_by_class() -> None:
    sensor = feed(partition(), rare_class, 1500).sensor("oven-2")
    model = _described(sensor, 0)["model"]
    assert model["classes"]["fine"]["recall"] > 0.7
    assert model["classes"]["fault"]["seen"] < 60
    assert model["classes"]["fault"]["share"] < 0.1
    assert 0.0 <= model["geometric_mean"] <= model["balanced_accuracy"] <= 1.0
