"""The checks of a sensor's value as rows: the usual event, nothing to tell.

To the last bit as in `detectors.hygiene.Hygiene.observe`; where that would have a finding, or
may have one, `observe` says so, and the caller puts the row back and lets it decide. What else it
keeps is at rest for a sensor that is a row.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.bank.monitor import Floats, Integers
from detectors.hygiene import Hygiene, rate
from detectors.hygiene.state import VALUE
from detectors.hygiene.stuck import FEWEST, longest_honest
from detectors.signal import Position
from schemas import settings
from schemas.compiled import compiled

# Numbers. Up to `LONGEST` as in `detectors.hygiene.stuck.Repeats`.
LAST_VALUE: Final = 0
SEEN: Final = 1
REPEATS: Final = 2
RUN: Final = 3
LONGEST: Final = 4
RATE: Final = 5
RETURNED: Final = RATE + rate.NUMBERS
SLOTS: Final = RETURNED + 1

# Integers.
RUN_BEGAN: Final = 0
RATE_TIMES: Final = 2
INTEGERS: Final = RATE_TIMES + rate.TIMES

# Parameters.
STUCK_CHECKED: Final = 0
RATE_CHECKED: Final = 1
LOWEST: Final = 2
HIGHEST: Final = 3
PARAMETERS: Final = 4

_ROUNDING: Final = 1e-9
"""By how much logarithms may differ from one library to another; far more than they do."""

_longest_honest = compiled(longest_honest)
_step: Any = compiled(rate.step)


@compiled
def observe(
    row: Floats,
    at: int,
    integers: Integers,
    where: int,
    parameters: Floats,
    value: float,
    offset: int,
    ts: int,
    last_ts: int,
    arrived: int,
) -> bool:
    """Take an event; tell whether there may be something to tell.

    Parameters
    ----------
    row, at, integers, where
        The sensor's row, and the first slots of the checks in it.
    parameters
        See `parameters_of`.
    value, offset, ts
        The reading and where it comes from.
    last_ts, arrived
        See `detectors.hygiene.rate.step`.
    """
    if parameters[RATE_CHECKED] > 0.0:
        found = _step(row, at + RATE, integers, where + RATE_TIMES, offset, ts, last_ts, arrived)
        if found != rate.USUAL:
            return True
    if not (value >= parameters[LOWEST] and value <= parameters[HIGHEST]):
        return True
    if parameters[STUCK_CHECKED] == 0.0:
        return False
    row[at + SEEN] += 1.0
    if row[at + SEEN] > 1.0 and value == row[at + LAST_VALUE]:
        row[at + REPEATS] += 1.0
        row[at + RUN] += 1.0
        run = row[at + RUN]
        if run < FEWEST:
            return False
        limit = _longest_honest(row[at + REPEATS] - run, row[at + SEEN] - run, row[at + LONGEST])
        return bool(run > limit * (1.0 - _ROUNDING))
    row[at + LONGEST] = max(row[at + LONGEST], row[at + RUN])
    row[at + RUN] = 0.0
    row[at + LAST_VALUE] = value
    integers[where + RUN_BEGAN] = offset
    integers[where + RUN_BEGAN + 1] = ts
    return False


def parameters_of(rules: settings.Hygiene) -> npt.NDArray[np.float64]:
    """Return what rows with these rules have in common."""
    limits = rules.limits(VALUE) if "range" in rules.checks else None
    low, high = limits or (-np.inf, np.inf)
    return np.array([float(name in rules.checks) for name in ("stuck", "rate")] + [low, high])


def freeze(checks: Hygiene, row: Floats, at: int, integers: Integers, where: int) -> bool:
    """Write the state of the checks into a row; False if it has more than a row has room for."""
    if not checks.at_rest:
        return False
    repeats = checks.repeats
    row[at : at + RATE] = (
        repeats.last,
        repeats.seen,
        repeats.repeats,
        repeats.run,
        repeats.longest,
    )
    row[at + RATE : at + RETURNED] = checks.rate.numbers
    row[at + RETURNED] = checks.returned.get(VALUE, 0)
    first = repeats.began or Position(0, 0)
    integers[where : where + RATE_TIMES] = first.offset, first.ts
    integers[where + RATE_TIMES : where + INTEGERS] = checks.rate.times
    return True


def thaw(checks: Hygiene, row: Floats, at: int, integers: Integers, where: int) -> None:
    """Bring new checks to the state that a row holds."""
    repeats = checks.repeats
    repeats.last = float(row[at + LAST_VALUE])
    repeats.seen, repeats.repeats, repeats.run, repeats.longest = (
        int(number) for number in row[at + SEEN : at + RATE]
    )
    if repeats.seen:
        offset, ts = integers[where : where + RATE_TIMES].tolist()
        repeats.began = Position(offset, ts)
    checks.rate.numbers = row[at + RATE : at + RETURNED].tolist()
    returned = int(row[at + RETURNED])
    checks.returned = {VALUE: returned} if returned else {}
    checks.rate.times = integers[where + RATE_TIMES : where + INTEGERS].tolist()
