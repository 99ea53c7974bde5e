"""Streams of which it is known when they change: those of the OPTWIN paper, and five sensors.

The four of Tosi and Theobald, "OPTWIN: drift identification with optimal sub-windows" (arXiv
2305.11942), are MOA's generators with the options of the scripts that the authors published
(github.com/maurodlt/OptWin, ``MOA-experiments/scripts``). They are error rates of a learner.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.drawn import autoregression

Values = NDArray[np.float64]
Generator = np.random.Generator


# --- OPTWIN ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ErrorStream:
    """One set-up of the paper.

    Parameters
    ----------
    name
        As in the paper.
    rates
        Error rate at each event.
    change
        The event at which it changes, or begins to.
    binary
        Whether each event is an error or none, drawn at that rate; otherwise it is the rate itself,
        without noise, so that every run is the same.
    """

    name: str
    rates: Values
    change: int
    binary: bool

    def draw(self, rng: Generator) -> Values:
        """Return one run."""
        if not self.binary:
            return self.rates
        return (rng.random(len(self.rates)) <= self.rates).astype(float)


def error_streams() -> tuple[ErrorStream, ...]:
    """Return the four set-ups: sudden and gradual, binary and not.

    Sudden: 0.2, from event 1000 on 0.8; the paper looks at the first 1,999. Gradual: 0.2, from
    event 2000 on 0.001 more per event up to 1, and 10,000 events.
    """
    n = np.arange(1, 10_001)
    sudden = np.where(n < 1000, 0.2, 0.8)[:1999]
    gradual = np.where(n < 2000, 0.2, np.minimum(0.2 + (n - 2000) * 0.001, 1.0))
    return (
        ErrorStream("sudden, binary", sudden, 999, True),
        ErrorStream("sudden, not binary", sudden, 999, False),
        ErrorStream("gradual, binary", gradual, 1999, True),
        ErrorStream("gradual, not binary", gradual, 1999, False),
    )


# --- sensors -----------------------------------------------------------------------------

CHANGES = ("mean +0.5 sigma", "mean +1 sigma", "mean +2 sigma", "variance x3", "slope 0.01 sigma")
EARLIEST, LATEST, AFTER = 1000, 3000, 1000
"""A change comes from `EARLIEST` on and before `LATEST`; `AFTER` events follow it."""

_SHIFTS = dict(zip(CHANGES, (0.5, 1.0, 2.0), strict=False))


Draw = Callable[[Generator, Values, Values], Values]


@dataclass(frozen=True)
class Sensor:
    """A stationary stream that can be changed.

    Parameters
    ----------
    draw
        ``(rng, level, spread)`` -> values: how many standard deviations the mean is off, and what
        deviations from it are multiplied by, event by event.
    either_way
        Whether the mean may fall too.
    """

    name: str
    draw: Draw
    either_way: bool = True


def changed(sensor: Sensor, change: str, rng: Generator) -> tuple[Values, int]:
    """Return one run, and the event at which it changes.

    Parameters
    ----------
    change
        One of `CHANGES`; of the mean up or down, by chance.
    """
    at = int(rng.integers(EARLIEST, LATEST))
    sign = rng.choice([-1.0, 1.0]) if sensor.either_way else 1.0
    level, spread = np.zeros(at + AFTER), np.ones(at + AFTER)
    if change in _SHIFTS:
        level[at:] = sign * _SHIFTS[change]
    elif change == "variance x3":
        spread[at:] = math.sqrt(3.0)
    else:
        level[at:] = sign * 0.01 * np.arange(1, AFTER + 1)
    return sensor.draw(rng, level, spread), at


def _around(mean: float, std: float, draw: Callable[[Generator, int], Values]) -> Draw:
    def drawn(rng: Generator, level: Values, spread: Values) -> Values:
        return mean + std * level + spread * draw(rng, len(level))

    return drawn


def _counts(rng: Generator, level: Values, spread: Values) -> Values:
    """Counts stay whole and never fall below zero, whatever changes."""
    mean = COUNTS_MEAN + math.sqrt(COUNTS_MEAN) * level
    # A negative binomial has the mean of the Poisson and, here, spread squared times its variance.
    wider = np.maximum(spread * spread, 1.0 + 1e-9)
    n, p = mean / (wider - 1.0), 1.0 / wider
    return np.where(spread > 1.0, rng.negative_binomial(n, p), rng.poisson(mean)).astype(float)


COUNTS_MEAN = 3.0
_LOGNORMAL_MEAN = math.exp(0.5)
_LOGNORMAL_STD = math.sqrt((math.e - 1.0) * math.e)
_AR_STD = 1.0 / math.sqrt(1.0 - 0.9 * 0.9)

SENSORS = (
    Sensor("N(0, 1)", _around(0.0, 1.0, lambda rng, n: rng.normal(size=n))),
    Sensor("N(1000, 0.01)", _around(1000.0, 0.01, lambda rng, n: 0.01 * rng.normal(size=n))),
    Sensor(
        "lognormal(0, 1)",
        _around(
            _LOGNORMAL_MEAN, _LOGNORMAL_STD, lambda rng, n: rng.lognormal(size=n) - _LOGNORMAL_MEAN
        ),
    ),
    Sensor("AR(1), 0.9", _around(0.0, _AR_STD, autoregression)),
    Sensor("Poisson(3)", _counts, either_way=False),
)
