"""Batch retraining."""

from __future__ import annotations

import pickle
import random

import pytest

from learners import Learner, create
from learners.retrain import fit_and_evaluate
from schemas.codec import Label, Reading
from schemas.settings import LearnerSettings, Policy

POLICY = Policy(retrain_min_events=100)


def reading(i: int, x: dict[str, float | str | None] | None, value: float | None = None) -> Reading:
    return Reading(sensor_id="oven-2", ts=i, value=value, features=x, event_id=str(i))


def batch(n: int, limit: float, seed: int) -> tuple[list[Reading], list[Label]]:
    """Items that are good up to a temperature."""
    rng = random.Random(seed)
    readings, labels = [], []
    for i in range(n):
        temperature = rng.uniform(350, 360)
        readings.append(reading(i, {"temperature": temperature, "lost": None}))
        labels.append(Label("oven-2", str(i), i, int(temperature < limit)))
    return readings, labels


def classifier(limit: float) -> Learner:
    learner = create(LearnerSettings(task="classification"))
    readings, labels = batch(2000, limit, seed=1)
    for event, label in zip(readings, labels, strict=True):
        assert event.features is not None
        learner.learn({"temperature": event.features["temperature"] or 0.0}, label.label)
    return learner


def test_after_a_change_the_candidate_is_better() -> None:
    result = fit_and_evaluate(*batch(1000, limit=352, seed=2), classifier(limit=358), POLICY)
    assert result.better
    assert result.candidate_error is not None
    assert result.champion_error is not None
    assert result.candidate_error < 0.02 < 0.1 < result.champion_error
    assert (result.n_train, result.n_test) == (700, 300)


def test_without_a_change_the_model_in_use_stays() -> None:
    result = fit_and_evaluate(*batch(500, limit=355, seed=2), classifier(limit=355), POLICY)
    assert not result.better
    assert "not better by policy.margin" in result.reason


def test_the_model_in_use_is_not_changed() -> None:
    champion = classifier(limit=358)
    before = pickle.dumps(champion)
    fit_and_evaluate(*batch(500, limit=352, seed=2), champion, POLICY)
    assert pickle.dumps(champion) == before


def test_the_same_range_gives_the_same_candidate() -> None:
    readings, labels = batch(500, limit=352, seed=2)
    one = fit_and_evaluate(readings, labels, classifier(358), POLICY)
    two = fit_and_evaluate(readings, list(reversed(labels)), classifier(358), POLICY)
    x: dict[str, float | str] = {"temperature": 355.0}
    assert (one.candidate_error, one.champion_error) == (two.candidate_error, two.champion_error)
    assert one.candidate.predict(x) == two.candidate.predict(x)


def test_the_candidate_has_learned_all_events() -> None:
    result = fit_and_evaluate(*batch(500, limit=352, seed=2), classifier(358), POLICY)
    assert result.candidate.learned == 500


def test_events_without_a_label_and_labels_without_an_event_do_not_count() -> None:
    readings, labels = batch(500, limit=352, seed=2)
    orphan = Label("oven-2", "never was", 0, 1)
    result = fit_and_evaluate(readings, [*labels[:300], orphan], classifier(358), POLICY)
    assert result.n_train + result.n_test == 300


def test_of_two_labels_for_one_event_the_first_counts() -> None:
    readings, labels = batch(500, limit=352, seed=2)
    second = [Label("oven-2", str(i), 0, 1) for i in range(500)]
    one = fit_and_evaluate(readings, labels, classifier(358), POLICY)
    two = fit_and_evaluate(readings, labels + second, classifier(358), POLICY)
    assert one.candidate_error == two.candidate_error


def test_too_few_events_are_not_enough() -> None:
    result = fit_and_evaluate(*batch(99, limit=352, seed=2), classifier(358), POLICY)
    assert not result.better
    assert result.reason == "99 events are fewer than policy.retrain_min_events"


@pytest.mark.parametrize("policy", [POLICY, Policy(retrain_min_events=1)])
def test_an_empty_range_is_no_error(policy: Policy) -> None:
    result = fit_and_evaluate([], [], classifier(358), policy)
    assert not result.better
    assert result.candidate_error is None


def forecasts(values: list[float | None]) -> tuple[list[Reading], list[Label]]:
    return [reading(i, None, value) for i, value in enumerate(values)], []


def test_a_forecaster_needs_no_labels() -> None:
    rng = random.Random(1)
    champion = create(LearnerSettings(lags=1))
    for t in range(5000):
        champion.learn({"value": 10.0 * (t % 2) + rng.gauss(0, 0.1)})
    changed = [3.0 * (t % 2 == 0) + rng.gauss(0, 0.1) for t in range(3000)]
    result = fit_and_evaluate(*forecasts([*changed]), champion, POLICY)
    assert result.candidate_error is not None
    assert result.champion_error is not None
    assert (result.n_train, result.n_test) == (2100, 900)
    assert result.candidate_error < 0.2


def test_missing_readings_are_left_out() -> None:
    values: list[float | None] = [20.0, None] * 200
    result = fit_and_evaluate(*forecasts(values), create(LearnerSettings()), POLICY)
    assert result.n_train + result.n_test == 200


def test_absurd_readings_do_not_spoil_the_candidate() -> None:
    rng = random.Random(1)
    values: list[float | None] = [rng.gauss(20, 1) for _ in range(1500)]
    values[300:303] = [1e29, 1e308, -1e308]
    champion = create(LearnerSettings())
    for _ in range(500):
        champion.learn({"value": rng.gauss(90, 1)})
    result = fit_and_evaluate(*forecasts(values), champion, POLICY)
    assert result.candidate_error is not None
    assert result.candidate_error < 2
