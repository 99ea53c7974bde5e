"""DDM over rows of numbers.

A row's slots are the number of bits, the error rate, the rate and the deviation where their sum
was lowest (infinity and 0 before the first decision), and what the last step returned.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.ddm import Ddm
from schemas.compiled import inlined

__all__ = ["PARAMETERS", "SLOTS", "freeze", "parameters", "reset", "step", "thaw"]

Floats = npt.NDArray[np.float64]

SLOTS: Final = 5
"""Numbers in a row that one detector takes."""

PARAMETERS: Final = 3
"""Numbers that `parameters` gives."""

_N: Final = 0
_P: Final = 1
_P_MIN: Final = 2
_S_MIN: Final = 3
_FOUND: Final = 4

_NOTHING: Final = 0
_DRIFT: Final = 1
_WARNING: Final = 2

_WARM_START: Final = 0
_WARNING_THRESHOLD: Final = 1
_DRIFT_THRESHOLD: Final = 2


def parameters(detector: Ddm) -> Floats:
    """Constructor arguments of a detector, in their order.

    Returns
    -------
    ndarray
        Shape (`PARAMETERS`,).
    """
    return np.array(list(detector.parameters.values()), dtype=np.float64)


@inlined
def reset(row: Floats, at: int) -> None:
    """Make it a detector that has seen nothing.

    Parameters
    ----------
    row, at
        The sensor's row, and the detector's first slot in it.
    """
    row[at + _N] = 0.0
    row[at + _P] = 0.0
    row[at + _P_MIN] = math.inf
    row[at + _S_MIN] = 0.0
    row[at + _FOUND] = 0.0


@inlined
def step(row: Floats, at: int, x: float, params: Floats, p: int) -> int:
    """Take the next bit, as `river.drift.binary.DDM.update` does.

    Parameters
    ----------
    row, at
        The sensor's row, and the detector's first slot in it.
    x
        0 or 1, unchecked.
    params, p
        What `parameters` gave, from index `p` on.

    Returns
    -------
    int
        0 nothing, 1 a drift, 2 in the warning zone. The step after a drift starts from nothing.
    """
    if row[at + _FOUND] == _DRIFT:
        reset(row, at)
    n = row[at + _N] + 1.0
    row[at + _N] = n
    rate = row[at + _P] + (1.0 / n) * (x - row[at + _P])
    row[at + _P] = rate
    found = _NOTHING
    if n > params[p + _WARM_START]:
        deviation = math.sqrt(rate * (1.0 - rate) / n)
        level = rate + deviation
        if level <= row[at + _P_MIN] + row[at + _S_MIN]:
            row[at + _P_MIN] = rate
            row[at + _S_MIN] = deviation
        if level > row[at + _P_MIN] + params[p + _DRIFT_THRESHOLD] * row[at + _S_MIN]:
            found = _DRIFT
        elif level > row[at + _P_MIN] + params[p + _WARNING_THRESHOLD] * row[at + _S_MIN]:
            found = _WARNING
    row[at + _FOUND] = found
    return found


def freeze(detector: Ddm, row: Floats, at: int) -> None:
    """Write a detector's state into a row.

    Parameters
    ----------
    detector
        Left as it is.
    row, at
        The sensor's row, and the detector's first slot in it.
    """
    river = detector._river
    reset(row, at)
    row[at + _N] = river._p.n
    row[at + _P] = river._p.get()
    if river._p_min is not None:
        row[at + _P_MIN] = river._p_min
        row[at + _S_MIN] = river._s_min
    if river.drift_detected:
        row[at + _FOUND] = _DRIFT
    elif river.warning_detected:
        row[at + _FOUND] = _WARNING


def thaw(row: Floats, at: int, detector: Ddm) -> None:
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
    n, rate, p_min, s_min, found = row[at : at + SLOTS].tolist()
    river._p.n = n
    river._p._mean = rate
    if p_min < math.inf:
        river._p_min = p_min
        river._s_min = s_min
        river._ps_min = p_min + s_min
    river._drift_detected = found == _DRIFT
    river._warning_detected = found == _WARNING
