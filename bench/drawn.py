"""Sensors that are drawn: how they are while nothing changes, and the ways in which they change.

A stationary stream is a distribution, or a cycle with noise, sampled at a fixed spacing. A change
is what the course of a run says of every event: how many standard deviations the mean is off, by
what deviations are multiplied, and by what the cycle is.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Generator = np.random.Generator

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
MONDAY = 20_458 * DAY
"""2026-01-05, in microseconds."""


@dataclass(frozen=True)
class Course:
    """What happens to a stream, event by event.

    Parameters
    ----------
    level
        How many standard deviations the mean is off.
    spread
        What deviations from the mean are multiplied by.
    cycle
        What the amplitude of the cycle is multiplied by.
    """

    level: Values
    spread: Values
    cycle: Values

    @staticmethod
    def calm(n: int) -> Course:
        """Return a course of `n` events in which nothing happens."""
        return Course(np.zeros(n), np.ones(n), np.ones(n))

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.level)


Draw = Callable[[Generator, Course, NDArray[np.int64]], Values]
"""``(rng, course, times in microseconds)`` -> values."""


@dataclass(frozen=True)
class Stream:
    """A stream that is stationary, but for its cycle, until something happens to it.

    Parameters
    ----------
    name
        As in the tables.
    draw
        Draws one run.
    changes
        Which of `CHANGES` make sense.
    spacing
        Microseconds between two events.
    either_way
        Whether the mean may fall too.
    earliest, latest
        A change comes from the one on and before the other.
    after
        Events after a change within which it is to be found.
    """

    name: str
    draw: Draw
    changes: tuple[str, ...]
    spacing: int = MINUTE
    either_way: bool = True
    earliest: int = 1000
    latest: int = 3000
    after: int = 2000

    def times(self, rng: Generator, n: int) -> NDArray[np.int64]:
        """Return the times of `n` events; they begin at a full minute of some week."""
        begin = MONDAY + MINUTE * int(rng.integers(0, 7 * DAY // MINUTE))
        return begin + self.spacing * np.arange(n, dtype=np.int64)


@dataclass(frozen=True)
class Run:
    """One run of a stream that changes.

    Parameters
    ----------
    changes
        The events at which something begins to be otherwise; each is to be found before the next
        one, or within `Stream.after`.
    """

    times: NDArray[np.int64]
    values: Values
    changes: tuple[int, ...]


def rng_of(seed: int, stream: Stream, change: str, run: int) -> Generator:
    """Return the generator of one run: another stream or change more leaves it as it is."""
    numbers = (zlib.crc32(name.encode()) for name in (stream.name, change))
    return np.random.default_rng([seed, *numbers, run])


def stationary(stream: Stream, n: int, seed: int, run: int) -> Run:
    """Draw a run of `n` events in which nothing changes."""
    rng = rng_of(seed, stream, "", run)
    times = stream.times(rng, n)
    return Run(times, stream.draw(rng, Course.calm(n), times), ())


def changing(stream: Stream, change: str, seed: int, run: int) -> Run:
    """Draw a run that changes as `change` says, at an event that is drawn."""
    rng = rng_of(seed, stream, change, run)
    at = int(rng.integers(stream.earliest, stream.latest))
    sign = float(rng.choice([-1.0, 1.0])) if stream.either_way else 1.0
    changes = tuple(at + stream.after * n for n in range(3 if change == RECURRING else 1))
    n = changes[-1] + stream.after
    course = Course.calm(n)
    CHANGES[change](rng, course, at, stream.after, sign)
    times = stream.times(rng, n)
    return Run(times, stream.draw(rng, course, times), changes)


# --- changes -----------------------------------------------------------------------------

RECURRING = "back and forth, 2 sigma"
GRADUAL_EVENTS = 500

Change = Callable[[Generator, Course, int, int, float], None]
"""``(rng, course, at, after, sign)``: writes into the course."""


def _shift(sigmas: float) -> Change:
    def change(rng: Generator, course: Course, at: int, after: int, sign: float) -> None:
        course.level[at:] = sign * sigmas

    return change


def _wider(rng: Generator, course: Course, at: int, after: int, sign: float) -> None:
    course.spread[at:] = math.sqrt(3.0)


def _slope(rng: Generator, course: Course, at: int, after: int, sign: float) -> None:
    course.level[at:] = sign * 0.01 * np.arange(1, len(course) - at + 1)


def _gradual(rng: Generator, course: Course, at: int, after: int, sign: float) -> None:
    n = len(course) - at
    moved = rng.random(n) < np.arange(1, n + 1) / GRADUAL_EVENTS
    course.level[at:] = np.where(moved, sign * 2.0, 0.0)


def _back_and_forth(rng: Generator, course: Course, at: int, after: int, sign: float) -> None:
    for begin in (at, at + 2 * after):
        course.level[begin : begin + after] = sign * 2.0


def _amplitude(rng: Generator, course: Course, at: int, after: int, sign: float) -> None:
    course.cycle[at:] = 2.0


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "mean 0.5 sigma": _shift(0.5),
        "mean 1 sigma": _shift(1.0),
        "mean 2 sigma": _shift(2.0),
        "mean 3 sigma": _shift(3.0),
        "variance x3": _wider,
        "slope 0.01 sigma": _slope,
        "gradual, 2 sigma": _gradual,
        RECURRING: _back_and_forth,
        "amplitude x2": _amplitude,
    }
)
_SEASONAL = tuple(CHANGES)
_PLAIN = tuple(name for name in CHANGES if name != "amplitude x2")
_BITS = tuple(name for name in _PLAIN if name != "variance x3")


# --- streams -----------------------------------------------------------------------------

_LOGNORMAL_MEAN = math.exp(0.5)
_LOGNORMAL_STD = math.sqrt((math.e - 1.0) * math.e)
_AR = 0.9
_AR_STD = 1.0 / math.sqrt(1.0 - _AR * _AR)
_COUNTS_MEAN = 3.0
_ONES = 0.1
_AMPLITUDE = 3.0
_WEEKEND = 0.4
"""The cycle of a Saturday or Sunday, as a share of a working day's."""


def autoregression(rng: Generator, n: int, phi: float = _AR) -> Values:
    """Return a stationary first-order autoregression."""
    noise = rng.normal(size=n)
    values = np.empty(n)
    last = rng.normal() / math.sqrt(1 - phi * phi)
    for i in range(n):
        last = phi * last + noise[i]
        values[i] = last
    return values


def _around(mean: float, std: float, draw: Callable[[Generator, int], Values]) -> Draw:
    """Deviations of the standard deviation `std` around a mean."""

    def drawn(rng: Generator, course: Course, times: NDArray[np.int64]) -> Values:
        return mean + std * course.level + course.spread * draw(rng, len(course))

    return drawn


def _normal(mean: float, std: float) -> Draw:
    return _around(mean, std, lambda rng, n: std * rng.normal(size=n))


def _daily(weekends: bool) -> Draw:
    def drawn(rng: Generator, course: Course, times: NDArray[np.int64]) -> Values:
        day = _AMPLITUDE * (1.0 + np.sin(2.0 * math.pi * (times % DAY) / DAY))
        if weekends:
            day *= np.where((times - MONDAY) // DAY % 7 >= 5, _WEEKEND, 1.0)
        noise = rng.normal(size=len(course))
        return 20.0 + course.level + course.cycle * day + course.spread * noise

    return drawn


def _counts(rng: Generator, course: Course, times: NDArray[np.int64]) -> Values:
    """Counts stay whole and never fall below zero, whatever changes."""
    mean = _COUNTS_MEAN + math.sqrt(_COUNTS_MEAN) * course.level
    # A negative binomial has the mean of the Poisson and, here, spread squared times its variance.
    wider = np.maximum(course.spread**2, 1.0 + 1e-9)
    n, p = mean / (wider - 1.0), 1.0 / wider
    counts = np.where(course.spread > 1.0, rng.negative_binomial(n, p), rng.poisson(mean))
    return counts.astype(float)


def _bits(rng: Generator, course: Course, times: NDArray[np.int64]) -> Values:
    rate = _ONES + math.sqrt(_ONES * (1.0 - _ONES)) * course.level
    return (rng.random(len(course)) < rate).astype(float)


def _constant(rng: Generator, course: Course, times: NDArray[np.int64]) -> Values:
    return np.full(len(course), 7.0)


STREAMS = (
    Stream("N(0, 1)", _normal(0.0, 1.0), _PLAIN),
    Stream("N(1000, 0.01)", _normal(1000.0, 0.01), _PLAIN),
    Stream("N(1e-6, 1e-9)", _normal(1e-6, 1e-9), _PLAIN),
    Stream(
        "lognormal(0, 1)",
        _around(
            _LOGNORMAL_MEAN, _LOGNORMAL_STD, lambda rng, n: rng.lognormal(size=n) - _LOGNORMAL_MEAN
        ),
        _PLAIN,
    ),
    Stream(
        "Student t, 3 d.f.",
        _around(0.0, math.sqrt(3.0), lambda rng, n: rng.standard_t(3, n)),
        _PLAIN,
    ),
    Stream("AR(1), 0.9", _around(0.0, _AR_STD, autoregression), _PLAIN),
    # Three days, then a change within the next two.
    Stream("a day", _daily(False), _SEASONAL, earliest=4320, latest=7200, after=2880),
    # Three weeks, then a change within the next two.
    Stream(
        "a week",
        _daily(True),
        _SEASONAL,
        spacing=10 * MINUTE,
        earliest=3024,
        latest=5040,
        after=2016,
    ),
    Stream("Poisson(3)", _counts, _PLAIN, either_way=False),
    Stream("Bernoulli(0.1)", _bits, _BITS, either_way=False),
    Stream("constant", _constant, ()),
)
