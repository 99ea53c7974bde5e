"""Page-Hinkley over rows of numbers.

A row's slots are the number of values, their mean, the sum for a rise and that for a fall, the
lowest of the former and the highest of the latter, whether the last step found a drift, and the
limit in place of the constructor's (0: there is none).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.page_hinkley import PageHinkley
from schemas.compiled import inlined

__all__ = [
    "PARAMETERS",
    "SLOTS",
    "calibrate",
    "freeze",
    "parameters",
    "reset",
    "score",
    "step",
    "thaw",
    "threshold_of",
]

Floats = npt.NDArray[np.float64]

SLOTS: Final = 8
"""Numbers in a row that one detector takes."""

PARAMETERS: Final = 5
"""Numbers that `parameters` gives."""

_N: Final = 0
_MEAN: Final = 1
_RISE: Final = 2
_FALL: Final = 3
_LOWEST: Final = 4
_HIGHEST: Final = 5
_DRIFT: Final = 6
_LIMIT: Final = 7

_MIN_INSTANCES: Final = 0
_DELTA: Final = 1
_THRESHOLD: Final = 2
_ALPHA: Final = 3
_MODE: Final = 4

_MODES: Final = ("up", "down", "both")
_UP: Final = 0
_DOWN: Final = 1

_BEFORE_ANY_FALL: Final = -1
"""Where River begins to look for the highest sum: the integer, and not below it ever after."""


def parameters(detector: PageHinkley) -> Floats:
    """Constructor arguments of a detector, in their order, the mode as 0 up, 1 down, 2 both.

    Returns
    -------
    ndarray
        Shape (`PARAMETERS`,).
    """
    arguments = detector.parameters
    mode = _MODES.index(arguments.pop("mode"))
    return np.array([*arguments.values(), mode], dtype=np.float64)


@inlined
def reset(row: Floats, at: int) -> None:
    """Make it a detector that has seen nothing.

    Parameters
    ----------
    row, at
        The sensor's row, and the detector's first slot in it.
    """
    row[at + _N] = 0.0
    row[at + _MEAN] = 0.0
    row[at + _RISE] = 0.0
    row[at + _FALL] = 0.0
    row[at + _LOWEST] = math.inf
    row[at + _HIGHEST] = _BEFORE_ANY_FALL
    row[at + _DRIFT] = 0.0
    row[at + _LIMIT] = 0.0


@inlined
def score(row: Floats, at: int, params: Floats, p: int) -> float:
    """Return `PageHinkley.score`, -1 where there is none yet.

    Parameters
    ----------
    row, at, params, p
        As of `step`.
    """
    if row[at + _N] < max(params[p + _MIN_INSTANCES], 1.0):
        return -1.0
    rise = row[at + _RISE] - row[at + _LOWEST]
    fall = row[at + _HIGHEST] - row[at + _FALL]
    mode = params[p + _MODE]
    if mode == _UP:
        return float(rise)
    if mode == _DOWN or fall > rise:
        return float(fall)
    return float(rise)


@inlined
def threshold_of(row: Floats, at: int, params: Floats, p: int) -> float:
    """Return `PageHinkley.threshold`."""
    given = row[at + _LIMIT]
    return float(params[p + _THRESHOLD] if given == 0.0 else given)


@inlined
def calibrate(row: Floats, at: int, threshold: float) -> None:
    """Use another limit from now on, as `PageHinkley.calibrate` does."""
    row[at + _LIMIT] = threshold


@inlined
def step(row: Floats, at: int, x: float, params: Floats, p: int) -> int:
    """Take the next value, as `river.drift.PageHinkley.update` does.

    Parameters
    ----------
    row, at
        The sensor's row, and the detector's first slot in it.
    x
        Finite, at most 1e100 in magnitude, unchecked.
    params, p
        What `parameters` gave, from index `p` on.

    Returns
    -------
    int
        0 nothing, 1 a drift. The step after a drift starts from nothing.
    """
    if row[at + _DRIFT] != 0.0:
        limit = row[at + _LIMIT]
        reset(row, at)
        row[at + _LIMIT] = limit
    n = row[at + _N] + 1.0
    row[at + _N] = n
    mean = row[at + _MEAN] + (1.0 / n) * (x - row[at + _MEAN])
    row[at + _MEAN] = mean
    deviation = x - mean
    alpha = params[p + _ALPHA]
    delta = params[p + _DELTA]
    rise = alpha * row[at + _RISE] + deviation - delta
    row[at + _RISE] = rise
    fall = alpha * row[at + _FALL] + deviation + delta
    row[at + _FALL] = fall
    if rise < row[at + _LOWEST]:
        row[at + _LOWEST] = rise
    if fall > row[at + _HIGHEST]:
        row[at + _HIGHEST] = fall
    if n < params[p + _MIN_INSTANCES]:
        return 0
    mode = params[p + _MODE]
    threshold = threshold_of(row, at, params, p)
    found = (mode != _DOWN and rise - row[at + _LOWEST] > threshold) or (
        mode != _UP and row[at + _HIGHEST] - fall > threshold
    )
    if found:
        row[at + _DRIFT] = 1.0
        return 1
    return 0


def freeze(detector: PageHinkley, row: Floats, at: int) -> None:
    """Write a detector's state into a row.

    Parameters
    ----------
    detector
        Left as it is.
    row, at
        The sensor's row, and the detector's first slot in it.
    """
    river = detector._river
    row[at : at + SLOTS] = (
        river._x_mean.n,
        river._x_mean.get(),
        river._sum_increase,
        river._sum_decrease,
        river._min_increase,
        river._max_decrease,
        river.drift_detected,
        0.0 if river.threshold == detector.parameters["threshold"] else river.threshold,
    )


def thaw(row: Floats, at: int, detector: PageHinkley) -> None:
    """Give a detector of the same parameters the state that a row holds.

    Parameters
    ----------
    row, at
        The sensor's row, and the detector's first slot in it.
    detector
        Whatever it has seen is forgotten.
    """
    detector.reset()
    river = detector._river
    n, mean, rise, fall, lowest, highest, drift, limit = row[at : at + SLOTS].tolist()
    river._x_mean.n = n
    river._x_mean._mean = mean
    river._sum_increase = rise
    river._sum_decrease = fall
    river._min_increase = lowest
    river._max_decrease = _BEFORE_ANY_FALL if highest == _BEFORE_ANY_FALL else highest
    river._drift_detected = drift != 0.0
    if limit > 0.0:
        detector.calibrate(limit)
