"""Forecast: the next value from the last ones."""

from __future__ import annotations

import math
import random

import pytest
from river import linear_model, preprocessing, time_series

from learners import create
from learners.base import Configuration
from learners.forecast import Forecast
from schemas.settings import LearnerSettings

SNARIMAX = {"class": "river.time_series.SNARIMAX", "params": {"p": 2, "d": 1, "q": 1}}


def holt_winters(**params: object) -> dict[str, object]:
    return {"class": "river.time_series.HoltWinters", "params": params}


def forecaster(model: object = None, lags: int = 3, target: str | None = None) -> Forecast:
    learner = create(
        LearnerSettings.model_validate(
            {"task": "forecast", "lags": lags, "model": model, "target": target}
        )
    )
    assert isinstance(learner, Forecast)
    return learner


def predictions(learner: Forecast, values: list[float]) -> list[float | None]:
    found: list[float | None] = []
    for value in values:
        found.append(learner.predict({"value": value}))
        learner.learn({"value": value})
    return found


def by_river(values: list[float], k: int) -> list[float | None]:
    """River's own pipeline, by hand."""
    model = preprocessing.StandardScaler() | linear_model.LinearRegression()
    found: list[float | None] = []
    for t, value in enumerate(values):
        lags = {f"lag{i}": values[t - i] for i in range(1, k + 1)} if t >= k else None
        found.append(model.predict_one(lags) if lags is not None and t > k else None)
        if lags is not None:
            model.learn_one(lags, value)
    return found


def random_walk(n: int, seed: int) -> list[float]:
    rng = random.Random(seed)
    values = [0.0]
    for _ in range(n - 1):
        values.append(0.95 * values[-1] + rng.gauss(0, 1))
    return values


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_default_is_rivers_to_the_last_bit(k: int) -> None:
    rng = random.Random(k)
    for values in (
        random_walk(2000, k),
        [rng.gauss(20, 1) for _ in range(2000)],
        [20 + 5 * math.sin(t / 10) for t in range(2000)],
        [21.5] * 2000,
    ):
        assert predictions(forecaster(lags=k), values) == by_river(values, k)


def test_there_is_no_prediction_before_a_value_was_learned_from_k_others() -> None:
    found = predictions(forecaster(lags=3), [20.0] * 6)
    assert found[:4] == [None] * 4
    assert None not in found[4:]


def test_the_first_lag_is_the_most_recent_value() -> None:
    learner = Forecast(Configuration(lags=2))
    values = [float(t % 7 == 0) for t in range(3000)]
    spikes = predictions(learner, values)
    after_a_spike = [p for p, v in zip(spikes[2001:], values[2000:], strict=False) if v == 1.0]
    assert spikes == by_river(values, 2)
    assert after_a_spike


@pytest.mark.parametrize("step", [10, 20, 100])
def test_a_jump_that_makes_rivers_model_diverge_is_recovered_from(step: float) -> None:
    rng = random.Random(step)
    values = [rng.gauss(20, 1) for _ in range(3000)]
    values += [rng.gauss(20 + step, 1) for _ in range(1500)]
    learner = forecaster()
    found = predictions(learner, values)
    rivers = by_river(values, 3)
    errors = [abs(p - v) for p, v in zip(found[-500:], values[-500:], strict=True) if p is not None]
    assert rivers[-1] is not None
    assert abs(rivers[-1] - values[-1]) > 1e6
    assert max(errors) < 10
    assert learner.healed >= 1
    assert learner.broken_by == "its predictions diverged"


def test_a_healed_model_counts_as_untrained() -> None:
    rng = random.Random(1)
    learner = forecaster()
    for _ in range(3000):
        learner.learn({"value": rng.gauss(20, 1)})
    before = learner.learned
    while not learner.healed:
        learner.learn({"value": rng.gauss(50, 1)})
    assert before > 2900
    assert learner.learned == 0
    assert learner.predict({"value": 50.0}) is None


def test_an_ordinary_sensor_is_never_healed() -> None:
    rng = random.Random(5)
    learner = forecaster()
    for t in range(20_000):
        learner.learn({"value": 0.0 if t % 100 else rng.gauss(10, 1)})
    assert learner.healed == 0


def test_holt_winters_predicts_nothing_before_it_has_seen_a_season() -> None:
    found = predictions(
        forecaster(holt_winters(alpha=0.3, beta=0.1, gamma=0.1, seasonality=8)),
        [20.0 + t % 8 for t in range(80)],
    )
    assert found[:8] == [None] * 8
    assert None not in found[8:]


def test_holt_winters_is_rivers() -> None:
    values = random_walk(500, 2)
    river = time_series.HoltWinters(alpha=0.3, beta=0.1)
    expected: list[float | None] = []
    for t, value in enumerate(values):
        expected.append(river.forecast(horizon=1)[0] if t >= 2 else None)
        river.learn_one(value)
    assert predictions(forecaster(holt_winters(alpha=0.3, beta=0.1)), values) == expected


def test_snarimax_is_rivers() -> None:
    values = random_walk(500, 3)
    river = time_series.SNARIMAX(p=2, d=1, q=1)
    expected: list[float | None] = []
    for t, value in enumerate(values):
        expected.append(river.forecast(horizon=1)[0] if t else None)
        river.learn_one(value)
    assert predictions(forecaster(SNARIMAX), values) == expected


def test_a_division_by_zero_inside_a_model_is_healed() -> None:
    learner = forecaster(
        holt_winters(alpha=0.3, beta=0.1, gamma=0.1, seasonality=4, multiplicative=True)
    )
    for t in range(60):
        learner.learn({"value": 5.0 + t % 4})
    for _ in range(20):
        learner.learn({"value": 0.0})
    for t in range(60):
        learner.learn({"value": 5.0 + t % 4})
    prediction = learner.predict({})
    assert prediction is not None
    assert 4 < prediction < 9


def test_of_an_event_with_features_the_target_is_forecast() -> None:
    learner = forecaster(target="temperature")
    for _ in range(500):
        x = {"temperature": 350.0, "value": 3.0}
        assert learner.truth(x) == 350.0
        learner.learn(x)
    assert learner.predict({}) == pytest.approx(350.0, rel=1e-3)


@pytest.mark.parametrize("x", [{}, {"temperature": 3.0}, {"value": "21.5"}])
def test_an_event_without_the_value_is_ignored(x: dict[str, float | str]) -> None:
    learner = forecaster()
    learner.learn(x)
    assert learner.truth(x) is None
    assert learner.ignored == 1


def test_an_error_is_absolute_and_finite() -> None:
    learner = forecaster()
    assert learner.error(20.0, 18.5) == 1.5
    assert learner.error(1e308, -1e308) == 1e100
    assert learner.error(None, 18.5) is None


def test_a_jump_between_two_constants_is_recovered_from() -> None:
    learner = forecaster()
    found = predictions(learner, [5.0] * 5000 + [6.0] * 1000)
    assert found[-1] == pytest.approx(6.0, abs=0.01)
