"""How far a statistic strays while nothing happens: the limit that keeps a rate of false alarms.

A sum that falls back to zero again and again (Page-Hinkley, CUSUM) strays from it in excursions
that hardly depend on one another. The largest value of each has a tail that is about exponential,
whatever the signal is distributed like and however its values depend on each other: only the slope
differs, and that a sensor shows by itself. So the limit is an extreme quantile of the peaks over a
threshold, as in Siffer et al., with the shape parameter held at 0.

References
----------
Siffer, Fouque, Termier and Largouet, "Anomaly detection in streams with extreme value theory", KDD
2017, section 3. Siegmund, "Sequential analysis", Springer 1985, chapters 2 and 10 (tails of a
reflected sum).
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FIRST", "Excursions", "limit_of", "next_due", "under_way"]

_MILLION: Final = 1048576.0

FIRST: Final = 400
"""Values after which a limit is first taken from a sensor's own excursions; then, each time that
there are twice as many."""

OVER: Final = 1.0
"""An excursion is over when the statistic is below this, in reference scales."""

HIGH: Final = 2.0
"""Excursions that come no farther than this are not counted."""

LOWEST: Final = 15.0
HIGHEST: Final = 400.0
"""No limit is beyond these."""

PRIOR: Final = 10.0
PRIOR_MEAN: Final = 2.0
"""As good as so many excursions that were so far beyond `HIGH` on average: as those of independent
normal values are under an allowance of a quarter."""

DOUBT: Final = 3.0
"""The mean excess counts as larger by so many standard errors: it is estimated from few."""

BEYOND_ANY: Final = 3.0
"""A limit is at least so many times the largest excursion that there was, the present one too."""

HELD: Final = 0.5
"""A limit that was taken from the sensor's own excursions stays as it is while the present one is
beyond this part of it: what has begun may be a change, and is not to raise its own limit."""

REACH: Final = 4.0
"""A calibrated sum sees no value farther from the reference than this many scales: a burst of wild
readings, and what they do to a model, is no change (Lucas and Crosier, "Robust CUSUM", 1982)."""

RESERVE: Final = 2.0
"""The share of a budget that is left for what an exponential tail is not."""


def next_due(n: int) -> int:
    """Return how many values there must be for the limit to be taken again.

    Parameters
    ----------
    n
        Values so far.
    """
    due = FIRST
    while due <= n:
        due *= 2
    return due


def limit_of(count: float, excess: float, largest: float, n: float, rate: float) -> float:
    """Return `Excursions.limit` of these numbers; a bank compiles it.

    It is cut to a millionth, since logarithms of two libraries may differ in their last digit.
    """
    known = PRIOR + count
    mean = (PRIOR * PRIOR_MEAN + excess) / known
    mean *= 1.0 + DOUBT / math.sqrt(known)
    often = max((count + 1.0) / n, 1e-3)
    limit = HIGH + mean * math.log(max(often * RESERVE / rate, 1.0))
    limit = min(max(limit, BEYOND_ANY * largest, LOWEST), HIGHEST)
    return math.floor(limit * _MILLION) / _MILLION


def under_way(top: float, limit: float, n: float) -> bool:
    """Tell whether the present excursion may be a change; a bank compiles it.

    Parameters
    ----------
    top
        How far it has come.
    limit
        The one in use.
    n
        Values that the excursions are from.
    """
    return n >= 2 * FIRST and top > HELD * limit


class Excursions:
    """The excursions of one statistic so far.

    Attributes
    ----------
    top
        The largest value of the present one.
    largest
        The largest value of all before it.
    count
        Those that came beyond `HIGH` and are over.
    excess
        The sum of how far these came beyond it.
    """

    __slots__ = ("count", "excess", "largest", "top")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self.top = 0.0
        self.largest = 0.0
        self.count = 0
        self.excess = 0.0

    def update(self, score: float) -> None:
        """Take the statistic after the next value."""
        if score < OVER:
            if self.top > HIGH:
                self.count += 1
                self.excess += self.top - HIGH
                self.largest = max(self.largest, self.top)
            self.top = 0.0
        elif score > self.top:
            self.top = score

    def limit(self, n: int, rate: float) -> float:
        """Return the limit that is passed by chance at this rate.

        Parameters
        ----------
        n
            Values that the excursions are from.
        rate
            False alarms per value, above 0.
        """
        return limit_of(self.count, self.excess, max(self.largest, self.top), n, rate)
