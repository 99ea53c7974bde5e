"""What every learner keeps to, whatever its task. Found automatically: a new one is held to it."""

from __future__ import annotations

import json
import math
import pickle
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners import Learner, create, tasks
from schemas.settings import LearnerSettings

Event = tuple[dict[str, float | str], float | str | bool | None]

CONFIGURATIONS = {
    **{task: {"task": task} for task in tasks()},
    "forecast of a feature": {"task": "forecast", "target": "temperature"},
    "SNARIMAX": {
        "task": "forecast",
        "model": {"class": "river.time_series.SNARIMAX", "params": {"p": 2, "d": 1, "q": 1}},
    },
    "HoltWinters": {
        "task": "forecast",
        "model": {
            "class": "river.time_series.HoltWinters",
            "params": {"alpha": 0.3, "beta": 0.1, "gamma": 0.1, "seasonality": 6},
        },
    },
    "multiplicative HoltWinters": {
        "task": "forecast",
        "model": {
            "class": "river.time_series.HoltWinters",
            "params": {
                "alpha": 0.3,
                "beta": 0.1,
                "gamma": 0.1,
                "seasonality": 6,
                "multiplicative": True,
            },
        },
    },
    "LogisticRegression": {
        "task": "classification",
        "model": [
            {"class": "river.preprocessing.StandardScaler"},
            {"class": "river.linear_model.LogisticRegression"},
        ],
    },
    "GaussianNB": {"task": "classification", "model": {"class": "river.naive_bayes.GaussianNB"}},
    "HoeffdingTreeRegressor": {
        "task": "regression",
        "model": {"class": "river.tree.HoeffdingTreeRegressor"},
    },
    "HalfSpaceTrees": {
        "task": "anomaly",
        "model": [
            {"class": "river.preprocessing.MinMaxScaler"},
            {"class": "river.anomaly.HalfSpaceTrees", "params": {"window_size": 50}},
        ],
    },
    "anomaly of features": {"task": "anomaly"},
}


def made(name: str) -> Learner:
    return create(LearnerSettings.model_validate(CONFIGURATIONS[name]), seed=7)


def events(name: str, n: int = 300, seed: int = 1) -> Iterator[Event]:
    """Made-up events of the kind that a learner is for."""
    rng = random.Random(seed)
    learner = made(name)
    of_values = not learner.needs_label and "feature" not in name
    for _ in range(n):
        value = rng.gauss(20, 1)
        if of_values:
            yield {"value": value}, None
            continue
        x: dict[str, float | str] = {"temperature": value, "lot": rng.choice("abc")}
        label: float | str | None = None
        if learner.task == "classification":
            label = "good" if value > 20 else "bad"
        elif learner.needs_label:
            label = 2 * value + 1
        yield x, label


def fed(learner: Learner, stream: Iterator[Event]) -> list[object]:
    predictions: list[object] = []
    for x, y in stream:
        predictions.append(learner.predict(x))
        learner.learn(x, y)
    return predictions


@pytest.fixture(params=list(CONFIGURATIONS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_predicts_nothing_before_it_has_learned(name: str) -> None:
    learner = made(name)
    x, _ = next(events(name))
    assert learner.learned == 0
    assert learner.predict(x) is None


def test_it_predicts_something_after_it_has_learned(name: str) -> None:
    learner = made(name)
    stream = list(events(name))
    fed(learner, iter(stream))
    x, y = stream[-1]
    prediction = learner.predict(x)
    assert prediction is not None
    error = learner.error(prediction, y if learner.needs_label else learner.truth(x))
    assert error is not None
    assert error >= 0.0
    assert learner.learned > 200
    assert learner.healed == 0


def test_predicting_changes_nothing(name: str) -> None:
    once, often = made(name), made(name)
    for x, y in events(name):
        expected = once.predict(x)
        assert [often.predict(x) for _ in range(3)] == [expected] * 3
        once.learn(x, y)
        often.learn(x, y)


def test_the_same_events_give_the_same_predictions(name: str) -> None:
    assert fed(made(name), events(name)) == fed(made(name), events(name))


def test_a_fresh_one_is_untrained_and_learns_the_same(name: str) -> None:
    trained = made(name)
    expected = fed(trained, events(name))
    fresh = trained.fresh()
    assert (fresh.learned, fresh.healed, fresh.ignored) == (0, 0, 0)
    assert fed(fresh, events(name)) == expected


def test_it_goes_on_from_a_pickle_as_if_nothing_had_been(name: str) -> None:
    stream = list(events(name))
    learner = made(name)
    expected = fed(learner, iter(stream))
    half = made(name)
    before = fed(half, iter(stream[:150]))
    restored = pickle.loads(pickle.dumps(half))
    assert before + fed(restored, iter(stream[150:])) == expected


def test_an_event_with_nothing_in_it_is_ignored(name: str) -> None:
    learner = made(name)
    fed(learner, events(name))
    learned = learner.learned
    learner.learn({}, 1.0)
    learner.predict({})
    assert learner.learned == learned
    assert learner.ignored == 1


@pytest.mark.parametrize("hostile", [1e308, -1e308, 1e200, -1e200, 1.5e100])
def test_a_magnitude_that_can_not_be_squared_is_not_learned(name: str, hostile: float) -> None:
    untouched, hit = made(name), made(name)
    stream = list(events(name))
    fed(untouched, iter(stream[:200]))
    fed(hit, iter(stream[:200]))
    for value in (hostile, -hostile, hostile):
        x, y = stream[200]
        hit.learn({key: value if isinstance(v, float) else v for key, v in x.items()}, y)
    if "lot" not in x:
        assert hit.learned == untouched.learned
    assert sound(hit, stream[201:])


@pytest.mark.parametrize("value", [1e29, -1e29, float(10**30 - 1), 5e-324, 0.0, 1e99])
def test_an_absurd_value_leaves_it_sound(name: str, value: float) -> None:
    learner = made(name)
    stream = list(events(name, 1200))
    fed(learner, iter(stream[:200]))
    for x, y in stream[200:203]:
        learner.learn({key: value if isinstance(v, float) else v for key, v in x.items()}, y)
    assert sound(learner, stream[203:])


@pytest.mark.parametrize("constant", [0.0, 21.5, -1e6])
def test_a_constant_for_days_and_then_another_leaves_it_sound(name: str, constant: float) -> None:
    learner = made(name)
    stream = list(events(name, 900))
    x, y = stream[0]
    same: dict[str, float | str] = {
        key: constant if isinstance(v, float) else v for key, v in x.items()
    }
    for _ in range(3000):
        learner.learn(same, y)
        prediction = learner.predict(same)
        assert prediction is None or is_sound(prediction)
    assert sound(learner, stream)


def is_sound(prediction: object) -> bool:
    return not isinstance(prediction, float) or math.isfinite(prediction)


def sound(learner: Learner, stream: list[Event]) -> bool:
    """Whether the predictions of a learner are finite, and in the end of the right magnitude."""
    predictions = fed(learner, iter(stream))
    if not all(p is None or is_sound(p) for p in predictions):
        return False
    last = predictions[-1]
    if last is None:
        return False
    if learner.task in ("forecast", "regression"):
        return isinstance(last, float) and abs(last) < 300
    return True


numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
features = st.dictionaries(
    st.text(max_size=5), st.one_of(numbers, st.text(max_size=80)), max_size=4
)
values = st.builds(lambda v: {"value": v}, st.one_of(numbers, st.sampled_from([0.0, 1.0, -1.0])))
labels = st.one_of(st.booleans(), st.integers(-(10**40), 10**40), numbers, st.text(max_size=5))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("which", list(CONFIGURATIONS))
def test_no_finite_event_makes_it_raise_or_predict_what_is_not_finite(
    which: str, data: st.DataObject
) -> None:
    learner = made_once(which).fresh()
    events = st.tuples(features | values, labels)
    for x, y in data.draw(st.lists(events, min_size=5, max_size=40)):
        prediction = learner.predict(x)
        assert prediction is None or is_sound(prediction)
        assert learner.error(prediction, y) is None or learner.error(prediction, y) >= 0  # type: ignore[operator]
        learner.learn(x, y)
        json.dumps(prediction, allow_nan=False)


_MADE: dict[str, Learner] = {}


def made_once(name: str) -> Learner:
    if name not in _MADE:
        _MADE[name] = made(name)
    return _MADE[name]


def test_memory_is_bounded_whatever_names_and_texts_come(name: str) -> None:
    learner = made(name)
    rng = random.Random(3)

    def hostile(i: int) -> dict[str, float | str]:
        return {
            "value": rng.gauss(0, 1),
            f"name-{i}": 1.0,
            "serial": f"{i}-{'x' * 5000}",
        }

    for i in range(400):
        learner.learn(hostile(i), float(i % 2))
    size = len(pickle.dumps(learner))
    for i in range(400, 800):
        learner.learn(hostile(i), float(i % 2))
    assert len(pickle.dumps(learner)) < max(2 * size, size + 200_000)
    assert size < 3_000_000
