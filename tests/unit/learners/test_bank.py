"""A forecast in a row of numbers is the forecast in objects, to the last bit, at every event."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners import bank, create
from learners.base import Configuration, Learner
from learners.forecast import Forecast
from learners.metrics import Prequential
from learners.river_model import LINEAR
from learners.snapshot import digest
from schemas.compiled import AVAILABLE, compiled
from schemas.settings import LearnerSettings

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

LENGTH = 1200
WIDTHS = range(1, 9)


def normal(rng: random.Random) -> Iterator[float]:
    while True:
        yield rng.gauss(20, 1)


def constant(_rng: random.Random) -> Iterator[float]:
    return itertools.repeat(21.5)


def nearly_constant(rng: random.Random) -> Iterator[float]:
    while True:
        yield math.nextafter(21.5, rng.choice([0, 21.5, 99]))


def jumps(rng: random.Random) -> Iterator[float]:
    """Ten standard deviations and more, after which River's own model diverges."""
    level = 20.0
    for t in itertools.count(1):
        if t % 300 == 0:
            level += rng.choice([-1, 1]) * rng.uniform(10, 300)
        yield rng.gauss(level, 1)


def absurd(rng: random.Random) -> Iterator[float]:
    while True:
        yield rng.choice([1e100, -1e100, 1e-300, 5e-324, 0.0, -0.0, 1.0, 1e50, 1e-100])


def rarely_absurd(rng: random.Random) -> Iterator[float]:
    while True:
        yield (
            rng.choice([1e100, 1e12, math.inf, math.nan, 2e100])
            if rng.random() < 0.01
            else (rng.gauss(0, 1))
        )


def ramp(rng: random.Random) -> Iterator[float]:
    return itertools.count(rng.uniform(-5, 5), 0.1)


def alternating(_rng: random.Random) -> Iterator[float]:
    return itertools.cycle([20.0, 21.0])


def integers(rng: random.Random) -> Iterator[float]:
    while True:
        yield float(rng.randint(-3, 3))


def walk(rng: random.Random) -> Iterator[float]:
    value = 0.0
    while True:
        value = 0.99 * value + rng.gauss(0, 1)
        yield value


STREAMS = [
    normal,
    constant,
    nearly_constant,
    jumps,
    absurd,
    rarely_absurd,
    ramp,
    alternating,
    integers,
    walk,
]


def values_of(stream: Any, seed: int, n: int = LENGTH) -> list[float]:
    return list(itertools.islice(stream(random.Random(seed)), n))


def untrained(lags: int) -> tuple[Forecast, np.ndarray]:
    return Forecast(Configuration(lags=lags)), np.zeros(bank.slots(lags))


def frozen(learner: Forecast) -> bytes:
    row = np.full(bank.slots(learner.configuration.lags), np.nan)
    assert bank.freeze(learner, row, 0)
    return row.tobytes()


def bits(prediction: float | None) -> str | None:
    return None if prediction is None else float.hex(prediction)


def predictions(learner: Learner, values: list[float]) -> list[str | None]:
    found = []
    for value in values:
        prediction = learner.predict({"value": value})
        assert prediction is None or isinstance(prediction, float)
        found.append(bits(prediction))
        learner.learn({"value": value})
    return found


def step(learner: Forecast, row: np.ndarray, value: float) -> None:
    """Learn in both ways, as a caller does, and see that they agree."""
    lags = learner.configuration.lags
    healed = learner.healed
    learner.learn({"value": value})
    outcome = bank.learn(row, 0, lags, value)
    assert outcome == (bank.DONE if learner.healed == healed else bank.BROKEN)
    if outcome == bank.BROKEN:
        bank.freeze(learner, row, 0)
    assert row.tobytes() == frozen(learner)


@pytest.mark.parametrize("lags", WIDTHS)
@pytest.mark.parametrize("stream", STREAMS)
def test_at_every_event_the_row_is_what_the_learner_is(stream: Any, lags: int) -> None:
    learner, row = untrained(lags)
    for value in values_of(stream, seed=lags):
        step(learner, row, value)


NUMBERS = st.one_of(
    st.floats(),
    st.floats(-1e3, 1e3),
    st.sampled_from([0.0, -0.0, 1.0, 1e100, -1e100, 5e-324, 1e-160, 1e12]),
)


@settings(max_examples=200, deadline=None)
@given(lags=st.integers(1, 8), values=st.lists(NUMBERS, max_size=60))
def test_whatever_the_numbers_the_row_is_what_the_learner_is(
    lags: int, values: list[float]
) -> None:
    learner, row = untrained(lags)
    for value in values:
        step(learner, row, value)


def test_a_jump_that_breaks_the_model_is_left_to_the_learner() -> None:
    learner, row = untrained(3)
    outcomes = []
    for value in values_of(jumps, seed=1):
        outcomes.append(bank.learn(row.copy(), 0, 3, value))
        step(learner, row, value)
    assert outcomes.count(bank.BROKEN) == learner.healed >= 2


@compiled
def learn_all(row: np.ndarray, values: np.ndarray) -> int:
    for t in range(len(values)):
        if bank.learn(row, 0, 3, values[t]) != 0:
            return t
    return len(values)


@pytest.mark.parametrize("stream", [normal, walk, integers])
def test_inlined_into_a_loop_that_knows_the_lags_the_step_gives_the_same_bits(stream: Any) -> None:
    values = values_of(stream, seed=6, n=5000)
    learner, row = untrained(3)
    for value in values:
        learner.learn({"value": value})
    assert learner.healed == 0
    assert learn_all(row, np.array(values)) == len(values)
    assert row.tobytes() == frozen(learner)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.1e100, -1e300])
def test_what_is_not_learned_is_counted_as_ignored(value: float) -> None:
    learner, row = untrained(2)
    for before in [1.0, 2.0, 4.0, 3.0]:
        step(learner, row, before)
    expected = learner.predict({})
    assert bank.learn(row, 0, 2, value) == bank.DONE
    thawed = bank.thaw(row, 0, learner.configuration)
    assert (thawed.ignored, thawed.learned, thawed.predict({})) == (1, 2, expected)


@pytest.mark.parametrize("lags", WIDTHS)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_learner_made_of_a_row_goes_on_as_the_one_that_never_was_in_a_row(
    stream: Any, lags: int
) -> None:
    values = values_of(stream, seed=100 + lags)
    learner, row = untrained(lags)
    moments = {*range(lags + 3), *random.Random(lags).sample(range(LENGTH - 200), 4)}
    for t, value in enumerate(values):
        if t in moments:
            thawed = bank.thaw(row, 0, learner.configuration)
            stored = pickle.loads(pickle.dumps(thawed))
            expected = predictions(copy.deepcopy(learner), values[t : t + 200])
            assert predictions(thawed, values[t : t + 200]) == expected
            assert predictions(stored, values[t : t + 200]) == expected
        step(learner, row, value)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_learner_made_of_a_row_has_the_same_digest(stream: Any) -> None:
    learner, row = untrained(3)
    for t, value in enumerate(values_of(stream, seed=3, n=700)):
        if t < 10 or t % 50 == 0:
            assert digest(bank.thaw(row, 0, learner.configuration)) == digest(learner)
        step(learner, row, value)


@pytest.mark.parametrize("lags", WIDTHS)
@pytest.mark.parametrize("stream", STREAMS)
def test_learning_partly_in_rows_and_partly_in_objects_makes_no_difference(
    stream: Any, lags: int
) -> None:
    rng = random.Random(lags)
    values = values_of(stream, seed=200 + lags)
    plain, row = untrained(lags)
    mixed = plain.fresh()
    while values:
        turn = rng.randint(1, 150)
        now, values = values[:turn], values[turn:]
        for value in now:
            plain.learn({"value": value})
        if rng.random() < 0.4:
            for value in now:
                mixed.learn({"value": value})
            continue
        bank.freeze(mixed, row, 0)
        for value in now:
            before = row.copy()
            if bank.learn(row, 0, lags, value) == bank.BROKEN:
                healing = bank.thaw(before, 0, plain.configuration)
                healing.learn({"value": value})
                bank.freeze(healing, row, 0)
        mixed = bank.thaw(row, 0, plain.configuration)
    assert digest(mixed) == digest(plain)


@pytest.mark.parametrize("stream", STREAMS)
def test_the_error_is_the_learners(stream: Any) -> None:
    learner, row = untrained(2)
    for value in values_of(stream, seed=5, n=400):
        if math.isfinite(value):
            expected = learner.error(learner.predict({}), value)
            found = bank.error(row, 0, value)
            assert math.isnan(found) if expected is None else found == expected
        step(learner, row, value)


def test_the_error_on_an_absurd_value_is_cut_at_the_largest_that_is_learned() -> None:
    learner, row = untrained(1)
    for value in [1.0, 2.0, 3.0]:
        step(learner, row, value)
    assert bank.error(row, 0, 1.7e308) == learner.error(learner.predict({}), 1.7e308) == 1e100


def test_nothing_beside_the_slots_is_touched() -> None:
    at, width = 5, bank.slots(3)
    row = np.full(at + width + 5, 7.25)
    learner = Forecast(Configuration(lags=3))
    assert bank.freeze(learner, row, at)
    for value in values_of(normal, seed=4, n=50):
        learner.learn({"value": value})
        assert bank.learn(row, at, 3, value) == bank.DONE
    assert row[at : at + width].tobytes() == frozen(learner)
    assert bits(bank.thaw(row, at, learner.configuration)._next) == bits(learner._next)
    assert {*row[:at], *row[at + width :]} == {7.25}


def test_a_learner_healed_of_an_exception_is_not_put_in_a_row() -> None:
    learner, row = untrained(3)
    learner._heal("ZeroDivisionError: float division by zero")
    assert not bank.freeze(learner, row, 0)
    assert not row.any()


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (Configuration(), True),
        (Configuration(lags=8, seed=3), True),
        (Configuration(model=LINEAR), True),
        (Configuration(target="temperature"), False),
        (Configuration(model='{"class":"river.linear_model.PARegressor"}'), False),
    ],
)
def test_rows_stand_for_forecasts_of_the_value_by_the_default_model(
    configuration: Configuration, expected: bool
) -> None:
    assert bank.bankable(Forecast(configuration)) is expected


@pytest.mark.parametrize("task", ["anomaly", "classification", "regression"])
def test_rows_stand_for_no_other_task(task: str) -> None:
    assert not bank.bankable(create(LearnerSettings.model_validate({"task": task})))


def test_rows_stand_for_no_subclass_that_may_mean_something_else() -> None:
    class Other(Forecast):
        pass

    assert not bank.bankable(Other(Configuration()))


def metric_bits(metric: Prequential) -> tuple[int, str, str]:
    return metric.n, float.hex(metric._sum), float.hex(metric._weight)


@settings(max_examples=200, deadline=None)
@given(errors=st.lists(st.one_of(st.floats(), st.floats(0, 1e3)), max_size=50))
def test_a_metric_in_a_row_is_the_metric_at_every_error(errors: list[float]) -> None:
    metric, row = Prequential(), np.zeros(bank.PREQUENTIAL_SLOTS)
    for error in errors:
        metric.update(error)
        bank.observe(row, 0, error)
        assert metric_bits(bank.thaw_prequential(row, 0)) == metric_bits(metric)


@pytest.mark.parametrize("n", [0, 1, 2500])
def test_a_metric_goes_on_in_a_row_where_it_was_in_objects(n: int) -> None:
    rng = random.Random(n)
    metric = Prequential()
    for _ in range(n):
        metric.update(rng.expovariate(1))
    row = np.full(bank.PREQUENTIAL_SLOTS + 2, 7.25)
    assert bank.freeze_prequential(metric, row, 1)
    assert bank.thaw_prequential(row, 1) == metric
    for _ in range(500):
        error = rng.expovariate(1)
        metric.update(error)
        bank.observe(row, 1, error)
    assert metric_bits(bank.thaw_prequential(row, 1)) == metric_bits(metric)
    assert row[0] == row[-1] == 7.25


def test_a_metric_of_another_fading_factor_is_not_put_in_a_row() -> None:
    row = np.zeros(bank.PREQUENTIAL_SLOTS)
    assert not bank.freeze_prequential(Prequential(1.0, n=2, _sum=3.0, _weight=2.0), row, 0)
    assert not row.any()


@compiled
def _powers(numbers: Any, half: float, out: Any) -> None:
    for n in range(numbers.shape[0]):
        out[n] = bank._power_of_half(numbers[n], half)


def test_the_power_of_a_half_is_that_of_the_c_library_to_the_last_bit() -> None:
    rng = np.random.default_rng(3)
    usual = rng.lognormal(0.0, 5.0, 200_000)
    wide = 10.0 ** rng.uniform(-323.0, 308.0, 100_000)
    # Roots right in the middle between two floats, and right beside it.
    roots = rng.uniform(1.0, 2.0, 50_000)
    middle = (roots + np.spacing(roots) / 2.0) ** 2 * 4.0 ** rng.integers(-20, 20, 50_000)
    special = [0.0, 5e-324, 1e-200, 1.0, 2.0, 4.0, 1e200, 1.7976931348623157e308, math.inf]
    numbers = np.concatenate([usual, wide, middle, np.nextafter(middle, 0.0), special])
    found = np.empty_like(numbers)
    _powers(numbers, 0.5, found)
    assert found.tolist() == [x**0.5 for x in numbers.tolist()]
