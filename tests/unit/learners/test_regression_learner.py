"""Regression: features to a number."""

from __future__ import annotations

import random

import pytest

from learners.base import Configuration
from learners.regression import Regression
from schemas.errors import InvalidMessage


def trained(n: int = 3000) -> Regression:
    learner = Regression(Configuration())
    rng = random.Random(1)
    for _ in range(n):
        x, lot = rng.gauss(20, 2), rng.choice("ab")
        learner.learn({"temperature": x, "lot": lot}, 3 * x + (10 if lot == "a" else 0))
    return learner


def test_numbers_and_strings_count() -> None:
    learner = trained()
    assert learner.predict({"temperature": 20.0, "lot": "a"}) == pytest.approx(70, abs=1)
    assert learner.predict({"temperature": 22.0, "lot": "b"}) == pytest.approx(66, abs=1)


def test_a_missing_feature_still_gives_a_prediction() -> None:
    found = trained().predict({"lot": "a"})
    assert found is not None


@pytest.mark.parametrize("label", ["good", "1", True, float("nan"), float("inf")])
def test_a_label_that_is_no_number_is_refused_and_never_learned(label: float | str) -> None:
    learner = trained(300)
    with pytest.raises(InvalidMessage) as caught:
        learner.check_label(label)
    assert str(caught.value) == "$.label: expected a finite number"
    learner.learn({"temperature": 20.0}, label)
    assert learner.learned == 300
    assert learner.ignored == 1


def test_one_absurd_reading_does_not_blind_it() -> None:
    learner = trained()
    for value in (1e29, -1e29, 1e29):
        learner.learn({"temperature": value, "lot": "a"}, 70.0)
    assert learner.healed == 0
    assert learner.predict({"temperature": 22.0, "lot": "b"}) == pytest.approx(66, abs=2)


def test_one_absurd_label_is_recovered_from() -> None:
    learner = trained()
    learner.learn({"temperature": 20.0, "lot": "a"}, 1e29)
    rng = random.Random(2)
    for _ in range(2000):
        x = rng.gauss(20, 2)
        learner.learn({"temperature": x, "lot": "a"}, 3 * x + 10)
    assert learner.predict({"temperature": 20.0, "lot": "a"}) == pytest.approx(70, abs=2)


def test_an_error_is_absolute() -> None:
    assert trained(10).error(70.0, 72) == 2.0
