"""The default forecast of many sensors as rows of numbers, learned from by compiled steps.

A row says what `learners.forecast.Forecast` with its default model, River's ``StandardScaler |
LinearRegression`` (linear_model/base.py, preprocessing/scale.py), says in objects, and a step does
to it what the object does, to the last bit; so state may go from one to the other at any event.

A row begins at a slot ``at`` of a larger one, is all zero for an untrained learner, and holds

======================= ==========================================================================
`LEARNED`               samples that the present model has learned: also the count of each lag in
                        the scaler, and the iterations of the optimizer
`IGNORED`, `HEALED`     as in the learner; it was healed of nothing but diverging
`KNOWN`                 how many of the last values are known, at most k
`LARGEST_SEEN`          the largest magnitude seen lately
`INTERCEPT`             of the regression
`NEXT`                  the prediction; none, and 0, until something was learned
`FIRST_LAG` and on      for each lag, the newest first: its value, the mean and the variance of all
                        its values, the square root of that variance, and its weight
======================= ==========================================================================
"""

from __future__ import annotations

from math import isfinite, nan, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from learners.base import (
    DIVERGED,
    FAR,
    LARGEST,
    Configuration,
    Learner,
    followed,
    magnitude_fits,
)
from learners.forecast import Forecast
from learners.metrics import FADING, Prequential
from learners.river_model import LINEAR
from schemas.compiled import inlined

__all__ = [
    "BROKEN",
    "DONE",
    "PREQUENTIAL_SLOTS",
    "bankable",
    "error",
    "freeze",
    "freeze_prequential",
    "learn",
    "observe",
    "slots",
    "thaw",
    "thaw_prequential",
]

Row = NDArray[np.float64]

DONE: Final = 0
"""The value was learned."""

BROKEN: Final = 1
"""The learner would have to be healed; its row is spoiled."""

LEARNED: Final = 0
IGNORED: Final = 1
HEALED: Final = 2
KNOWN: Final = 3
LARGEST_SEEN: Final = 4
INTERCEPT: Final = 5
NEXT: Final = 6
FIRST_LAG: Final = 7

VALUE: Final = 0
MEAN: Final = 1
VARIANCE: Final = 2
DEVIATION: Final = 3
WEIGHT: Final = 4
PER_LAG: Final = 5

N: Final = 0
SUM: Final = 1
WEIGHTS: Final = 2
PREQUENTIAL_SLOTS: Final = 3
"""Width of a row of `learners.metrics.Prequential`: errors observed, their sum, their weight."""

LEARNING_RATE: Final = 0.01
"""Of the weights, and of the intercept: River's defaults."""

SPLITTER: Final = 2.0**27 + 1.0
"""Halves the digits of a float."""
HALF_UNIT: Final = 2.0**-53
CLEAR: Final = 0.9
"""Twice the part of a unit in the last place by which a root may have been rounded to be clear:
0.45. A power function that is off by less than 0.55 units rounds it in the same way."""
LEAST_SQUARE: Final = 1e-200
LARGEST_SQUARE: Final = 1e200
"""Between which the exact product neither overflows nor loses digits."""

CLIP: Final = 1e12
"""The largest gradient: River's default."""

_fits = inlined(magnitude_fits)
_followed = inlined(followed)


def slots(lags: int) -> int:
    """Width of a row.

    Parameters
    ----------
    lags
        How many of the last values the next one is predicted from, at least 1.
    """
    return FIRST_LAG + PER_LAG * lags


@inlined
def learn(row: Row, at: int, lags: int, value: float) -> int:
    """Learn a value, and forecast the next one: `learners.forecast.Forecast.learn`.

    Parameters
    ----------
    row
        Changed in place.
    at
        Where the learner begins in it.
    lags
        What it was laid out for.
    value
        Any number; one that the learner ignores is counted.

    Returns
    -------
    int
        `DONE`, or `BROKEN` if the prediction is far off and the model is to be replaced: `row` is
        then spoiled, and the learner itself has to take this value, from what was there before.
    """
    if not _fits(value):
        row[at + IGNORED] += 1.0
        return DONE
    row[at + LARGEST_SEEN] = _followed(row[at + LARGEST_SEEN], value)
    first = at + FIRST_LAG
    end = first + PER_LAG * lags
    if row[at + KNOWN] < lags:
        row[at + KNOWN] += 1.0
        for lag in range(end - PER_LAG, first, -PER_LAG):
            row[lag + VALUE] = row[lag - PER_LAG + VALUE]
        row[first + VALUE] = value
        return DONE

    n = row[at + LEARNED] + 1.0
    row[at + LEARNED] = n
    # If the compiler saw a constant, it would take the square root.
    half = 0.5 * n / n
    expected = 0.0
    for lag in range(first, end, PER_LAG):
        x = row[lag + VALUE]
        before = row[lag + MEAN]
        mean = before + (x - before) / n
        variance = row[lag + VARIANCE]
        variance += ((x - before) * (x - mean) - variance) / n
        row[lag + MEAN] = mean
        row[lag + VARIANCE] = variance
        row[lag + DEVIATION] = _power_of_half(variance, half)
        expected += row[lag + WEIGHT] * _scaled(row, lag, x)
    expected += row[at + INTERCEPT]

    gradient = max(min(2.0 * (expected - value), CLIP), -CLIP)
    intercept = row[at + INTERCEPT] - LEARNING_RATE * gradient
    row[at + INTERCEPT] = intercept

    prediction = 0.0
    newer = value
    for lag in range(first, end, PER_LAG):
        x = row[lag + VALUE]
        weight = row[lag + WEIGHT] - LEARNING_RATE * (_scaled(row, lag, x) * gradient)
        row[lag + WEIGHT] = weight
        prediction += weight * _scaled(row, lag, newer)
        row[lag + VALUE] = newer
        newer = x
    prediction += intercept
    row[at + NEXT] = prediction
    return DONE if abs(prediction) <= FAR * row[at + LARGEST_SEEN] else BROKEN


@inlined
def _power_of_half(x: float, half: float) -> float:
    """Return ``x ** 0.5`` as the power function of the C library gives it, which River calls.

    That rounds one number in a thousand otherwise than a square root: such whose exact root lies
    nearly in the middle between two floats. It is several times as slow, so it is called only
    where the root is not clearly nearer to one of them; `half` is 0.5, hidden from the compiler.

    References
    ----------
    Dekker, "A floating-point technique for extending the available precision", Numerische
    Mathematik 18, 1971, section 5 (the exact product of two floats).
    """
    root = sqrt(x)
    high = SPLITTER * root
    high -= high - root
    low = root - high
    square = root * root
    beyond = ((high * high - square) + 2.0 * high * low) + low * low
    # The exact root is about (x - root**2) / (2 * root) beyond the rounded one, in units of `unit`.
    unit = (root + root * HALF_UNIT) - root
    if LEAST_SQUARE < x < LARGEST_SQUARE and abs((x - square) - beyond) < CLEAR * root * unit:
        return root
    return float(x**half)


@inlined
def _scaled(row: Row, lag: int, x: float) -> float:
    deviation = row[lag + DEVIATION]
    return (x - row[lag + MEAN]) / deviation if deviation != 0.0 else 0.0


@inlined
def error(row: Row, at: int, value: float) -> float:
    """How far the prediction is off: `learners.base.distance`.

    Parameters
    ----------
    row
        Of the learner.
    at
        Where it begins.
    value
        The value that came, finite.

    Returns
    -------
    float
        Absolute error in the unit of the value; NaN if there is no prediction.
    """
    if row[at + LEARNED] == 0.0:
        return nan
    difference: float = abs(row[at + NEXT] - value)
    return min(difference, LARGEST)


@inlined
def observe(row: Row, at: int, error: float) -> None:
    """Count an error: `learners.metrics.Prequential.update`, with the fading factor `FADING`.

    Parameters
    ----------
    row
        Changed in place.
    at
        Where the metric begins in it: `PREQUENTIAL_SLOTS` wide, all zero before the first error.
    error
        What is not finite is no error.
    """
    if isfinite(error):
        row[at + N] += 1.0
        row[at + SUM] = error + FADING * row[at + SUM]
        row[at + WEIGHTS] = 1.0 + FADING * row[at + WEIGHTS]


def bankable(learner: Learner) -> bool:
    """Whether rows can stand for this kind of learner: a forecast of the value, by the default."""
    configuration = learner.configuration
    return (
        type(learner) is Forecast
        and configuration.model in (None, LINEAR)
        and configuration.target is None
    )


def freeze(learner: Forecast, row: Row, at: int) -> bool:
    """Write a learner to a row.

    Parameters
    ----------
    learner
        A `bankable` one.
    row
        Written from ``at`` on, `slots` wide.
    at
        Where the learner begins in it.

    Returns
    -------
    bool
        False if a row can't hold it, because it was healed of an exception; `row` is as before.
    """
    if learner.broken_by != (DIVERGED if learner.healed else None):
        return False
    lags = learner.configuration.lags
    scaler, regression = learner._model.steps.values()
    mine = row[at : at + slots(lags)]
    mine[:] = 0.0
    mine[LEARNED] = learner.learned
    mine[IGNORED] = learner.ignored
    mine[HEALED] = learner.healed
    mine[KNOWN] = len(learner._lags)
    mine[LARGEST_SEEN] = learner._largest
    mine[INTERCEPT] = regression.intercept
    if learner._next is not None:
        mine[NEXT] = learner._next
    by_lag = mine[FIRST_LAG:].reshape(lags, PER_LAG)
    by_lag[: len(learner._lags), VALUE] = learner._lags
    if learner.learned:
        variances = list(scaler.vars.values())
        by_lag[:, MEAN] = list(scaler.means.values())
        by_lag[:, VARIANCE] = variances
        by_lag[:, DEVIATION] = [variance**0.5 for variance in variances]
        by_lag[:, WEIGHT] = list(regression.weights.values())
    return True


def thaw(row: Row, at: int, configuration: Configuration) -> Forecast:
    """Make the learner that a row stands for.

    Parameters
    ----------
    row
        From `freeze`, or from zeros, and any number of steps.
    at
        Where the learner begins in it.
    configuration
        The learner's own.

    Returns
    -------
    Forecast
        Equal to one that has learned the same values: it goes on to the same predictions, and has
        the same `learners.snapshot.digest`.
    """
    lags = configuration.lags
    mine = row[at : at + slots(lags)]
    by_lag = mine[FIRST_LAG:].reshape(lags, PER_LAG).T.tolist()
    learner = Forecast(configuration)
    learner.learned = int(mine[LEARNED])
    learner.ignored = int(mine[IGNORED])
    learner.healed = int(mine[HEALED])
    learner.broken_by = DIVERGED if learner.healed else None
    learner._lags = tuple(by_lag[VALUE][: int(mine[KNOWN])])
    learner._largest = float(mine[LARGEST_SEEN])
    if learner.learned:
        learner._next = float(mine[NEXT])
        _restore(learner._model, learner.learned, float(mine[INTERCEPT]), by_lag)
    return learner


def _restore(model: Any, learned: int, intercept: float, by_lag: list[list[float]]) -> None:
    scaler, regression = model.steps.values()
    # River sums in the order in which the keys came, and a snapshot stores them in it
    names = [f"lag{index}" for index in range(1, len(by_lag[VALUE]) + 1)]
    scaler.counts.update(dict.fromkeys(names, learned))
    scaler.means.update(zip(names, by_lag[MEAN], strict=True))
    scaler.vars.update(zip(names, by_lag[VARIANCE], strict=True))
    for name, weight in zip(names, by_lag[WEIGHT], strict=True):
        regression._weights[name] = weight
    regression.intercept = intercept
    regression.optimizer.n_iterations = learned
    # a pipeline lays out its steps when it is first used, and keeps that
    model.predict_one({})


def freeze_prequential(metric: Prequential, row: Row, at: int) -> bool:
    """Write a metric to a row.

    Parameters
    ----------
    metric
        Any.
    row
        Written from ``at`` on, `PREQUENTIAL_SLOTS` wide.
    at
        Where the metric begins in it.

    Returns
    -------
    bool
        False if it has another fading factor than `FADING`; `row` is as before.
    """
    if metric.fading != FADING:
        return False
    row[at + N] = metric.n
    row[at + SUM] = metric._sum
    row[at + WEIGHTS] = metric._weight
    return True


def thaw_prequential(row: Row, at: int) -> Prequential:
    """Make the metric that a row stands for.

    Parameters
    ----------
    row
        From `freeze_prequential`, or from zeros, and any number of steps.
    at
        Where the metric begins in it.
    """
    return Prequential(
        n=int(row[at + N]), _sum=float(row[at + SUM]), _weight=float(row[at + WEIGHTS])
    )
