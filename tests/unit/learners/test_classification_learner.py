"""Classification: features to a class."""

from __future__ import annotations

import random

import pytest

from learners import create
from learners.base import Configuration, PredictionValue
from learners.classification import MAX_CLASSES, Classification
from schemas.errors import InvalidMessage
from schemas.settings import LearnerSettings


def trained(
    labels: dict[bool, PredictionValue], n: int = 400, model: object = None
) -> Classification:
    learner = create(LearnerSettings.model_validate({"task": "classification", "model": model}))
    assert isinstance(learner, Classification)
    rng = random.Random(1)
    for _ in range(n):
        value = rng.uniform(0, 10)
        learner.learn({"temperature": value}, labels[value > 5])
    return learner


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (False, True), ("bad", "good"), (0.5, 1.5), ("0", 0), (-1, 1), ("", "x"), (10**20, 7)],
)
@pytest.mark.parametrize("model", [None, {"class": "river.linear_model.LogisticRegression"}])
def test_a_class_is_given_back_as_its_label_was_written(
    low: PredictionValue, high: PredictionValue, model: object
) -> None:
    if model is not None:
        model = [{"class": "river.preprocessing.StandardScaler"}, model]
    learner = trained({False: low, True: high}, model=model)
    for x, expected in (({"temperature": 1.0}, low), ({"temperature": 9.0}, high)):
        found = learner.predict(x)
        assert found == expected
        assert type(found) is type(expected)


def test_labels_that_are_equal_are_one_class_in_the_form_that_came_first() -> None:
    learner = Classification(Configuration())
    for label in (1, True, 1.0):
        learner.learn({"temperature": 20.0}, label)
    found = learner.predict({"temperature": 20.0})
    assert found == 1
    assert type(found) is int


def test_a_text_and_a_number_are_two_classes() -> None:
    learner = trained({False: "1", True: 1})
    assert learner.predict({"temperature": 1.0}) == "1"
    assert learner.error("1", 1) == 1.0


def test_three_classes_are_told_apart() -> None:
    learner = Classification(Configuration())
    rng = random.Random(2)
    right = 0
    for t in range(3000):
        value = rng.uniform(0, 30)
        truth = ("low", "middle", "high")[int(value // 10)]
        right += t >= 2000 and learner.predict({"temperature": value}) == truth
        learner.learn({"temperature": value}, truth)
    assert right > 900


def test_an_interval_is_learned() -> None:
    learner = Classification(Configuration())
    rng = random.Random(3)
    right = 0
    for t in range(3000):
        value, noise = rng.uniform(0, 30), rng.gauss(0, 1)
        x: dict[str, float | str] = {"temperature": value, "noise": noise}
        right += t >= 2000 and learner.predict(x) == (10 <= value <= 20)
        learner.learn(x, 10 <= value <= 20)
    assert right > 900


@pytest.mark.parametrize("wide", [False, True])
def test_a_string_feature_is_learned(wide: bool) -> None:
    learner = Classification(Configuration())
    rng = random.Random(4)
    right = 0
    for t in range(1500):
        lot = rng.choice("abcd")
        x: dict[str, float | str] = {"lot": lot, "noise": rng.gauss(0, 1)}
        if wide:
            x |= {f"f{i}": rng.gauss(0, 1) for i in range(40)}
        right += t >= 1000 and learner.predict(x) == (lot in "ab")
        learner.learn(x, lot in "ab")
    assert right > 450


def test_with_many_features_a_linear_model_stands_in() -> None:
    learner = Classification(Configuration())
    learner.learn({f"f{i}": float(i) for i in range(256)}, 1)
    learner.learn({f"f{i}": float(i) for i in range(256)}, 0)
    assert "LogisticRegression" in learner.name
    assert learner.predict({f"f{i}": float(i) for i in range(256)}) in (0, 1)


def test_the_number_of_classes_is_bounded() -> None:
    learner = Classification(Configuration())
    for label in range(MAX_CLASSES + 50):
        learner.learn({"temperature": float(label)}, label)
    assert learner.ignored == 50
    assert learner.learned == MAX_CLASSES


def test_a_label_as_long_as_a_book_is_refused() -> None:
    learner = Classification(Configuration())
    learner.check_label("good")
    with pytest.raises(InvalidMessage, match=r"\$\.label: expected at most 200 characters"):
        learner.check_label("x" * 201)


def test_the_error_is_0_or_1() -> None:
    learner = Classification(Configuration())
    assert learner.error("good", "good") == 0.0
    assert learner.error("good", "bad") == 1.0
    assert learner.error(None, "bad") is None
