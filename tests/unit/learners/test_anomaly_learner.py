"""Anomaly: how unusual an event is."""

from __future__ import annotations

import random

import pytest

from learners import create
from learners.anomaly import Anomaly
from learners.base import Configuration, Feature
from schemas.settings import LearnerSettings


def of_values(n: int = 500, seed: int = 1) -> Anomaly:
    learner, rng = Anomaly(Configuration()), random.Random(seed)
    for _ in range(n):
        learner.learn({"value": rng.gauss(20, 1)})
    return learner


def test_a_usual_value_scores_low_and_an_unusual_one_high() -> None:
    learner = of_values()
    usual, unusual = learner.predict({"value": 20.0}), learner.predict({"value": 26.0})
    assert usual is not None
    assert unusual is not None
    assert usual < 0.2 < 0.99 < unusual


def test_the_score_is_the_error() -> None:
    assert of_values().error(0.7, 20.0) == 0.7


def test_there_is_no_score_while_the_model_warms_up() -> None:
    learner = of_values(99)
    assert learner.predict({"value": 20.0}) is None
    learner.learn({"value": 20.0})
    assert learner.predict({"value": 20.0}) is not None


def test_a_constant_is_usual_and_all_else_is_not() -> None:
    learner = Anomaly(Configuration())
    for _ in range(3000):
        learner.learn({"value": 21.5})
    assert learner.predict({"value": 21.5}) == 0.0
    assert learner.predict({"value": 22.0}) == 1.0


@pytest.mark.parametrize("absurd", [1e29, 1e99, 1e308])
def test_absurd_values_do_not_blind_it(absurd: float) -> None:
    learner = of_values()
    for value in (absurd, -absurd, absurd):
        learner.learn({"value": value})
    unusual = learner.predict({"value": 26.0})
    assert unusual is not None
    assert unusual > 0.99


def by_features(rng: random.Random) -> dict[str, Feature]:
    return {"temperature": rng.gauss(350, 5), "pressure": rng.gauss(12, 2)}


def test_features_are_judged_by_half_space_trees() -> None:
    learner, rng = Anomaly(Configuration(seed=1)), random.Random(1)
    for _ in range(1000):
        learner.learn(by_features(rng))
    usual = [learner.predict(by_features(rng)) or 0.0 for _ in range(50)]
    unusual = learner.predict({"temperature": 380.0, "pressure": 30.0})
    assert learner.name == "MinMaxScaler | HalfSpaceTrees"
    assert unusual is not None
    assert unusual > max(usual)


def test_the_seed_decides_about_the_trees() -> None:
    def scores(seed: int) -> list[object]:
        learner = create(LearnerSettings(task="anomaly"), seed=seed)
        rng = random.Random(1)
        for _ in range(600):
            learner.learn(by_features(rng))
        return [learner.predict(by_features(rng)) for _ in range(5)]

    assert scores(1) == scores(1)
    assert scores(1) != scores(2)
