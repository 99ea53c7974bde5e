"""What time of day a value is usual for: the part of a signal that comes back every day.

A profile has a mean for each hour of a working day and for each hour of a day at the weekend, both
in UTC. It holds once all hours of a day have been seen and the hours differ, from one to the next
smoothly, by more than noise would. From then on the detectors are given what the profile does not
explain. Before that, the first day is waited for where it costs few events, and where it costs
many a change must be a step: a slope may be the time of day.

What a profile holds lies in arrays of numbers, so that the same functions serve the rows of a bank.
"""

from __future__ import annotations

import math
from typing import Any, Final

from detectors.moments import Statistics
from detectors.signal import QUICK

__all__ = [
    "INTEGERS",
    "SLOTS",
    "Season",
    "advance",
    "expected",
]

HOUR: Final = 3_600_000_000
"""Microseconds."""

HOURS: Final = 24
WHOLE: Final = (1 << HOURS) - 1
"""All hours of a kind of day."""

MEMORY_DAYS: Final = 7.0
"""Days of a kind over which a profile averages; older ones fade."""

EXPLAINED: Final = 0.15
NO_MORE: Final = 0.08
"""The share of the variance that lies between the hours, from which on a profile holds, and below
which it holds no longer."""

NO_USE: Final = 0.6
"""A profile ends when it leaves more than this of the variance between the hours of a day."""

SMOOTH: Final = 0.5
"""Autocorrelation from one hour to the next, around the day. Of hours that differ by chance it is
below this in 99 of 100 days."""

HALF: Final = 0.5
"""The part of a change that the hours before it leave unexplained, if it is one."""

SLOPES: Final = 1.5
"""Standard errors that the difference of two hours must come to before it says what comes next."""

MANY: Final = 400
"""Values before a step that tell it from a wave where the hours before it are not known."""

FEW: Final = 500
"""Events of a day that are worth waiting for."""

# Floats: two kinds of day, an hour each, then:
COUNT: Final = 2 * HOURS
MEAN: Final = COUNT + 1
M2: Final = COUNT + 2
"""Of the present hour: of what the profile leaves of its values."""
WITHIN: Final = COUNT + 3
"""Variance within an hour."""
CLOSED: Final = COUNT + 4
"""Hours seen, by kind of day."""
LEVEL: Final = COUNT + 6
"""Of the profile when it began to hold; what it leaves is around this."""
HOLDS: Final = COUNT + 7
TRIED: Final = COUNT + 8
"""Hours since the profile began to hold."""
RAW: Final = COUNT + 9
LEFT: Final = COUNT + 11
"""Mean and variance of the means of hours, over about a day: as they were, and of what was left."""
SLOTS: Final = COUNT + 13
"""Floats that a season takes."""

# Integers.
NOW: Final = 0
"""The present hour, since 1970."""
FIRST: Final = 1
KNOWN: Final = 2
"""A bit for each hour of the profile."""
INTEGERS: Final = 3

Floats = Any
Integers = Any
"""Lists or arrays."""


def place_of(hour: int) -> int:
    """Return where in a profile an hour since 1970 stands."""
    # The first of January 1970 was a Thursday.
    weekend = (hour // HOURS + 3) % 7 >= 5
    return int(hour % HOURS + (HOURS if weekend else 0))


def expected(floats: Floats, at: int, integers: Integers, where: int, ts: int) -> float:
    """Return what the time of day adds to the level.

    Parameters
    ----------
    floats, at
        An array, and the season's first slot in it.
    integers, where
        The same of the integers.
    ts
        Microseconds since 1970.

    Returns
    -------
    float
        0 as long as no profile holds, NaN for an hour that one does not know.
    """
    if floats[at + HOLDS] == 0.0:
        return 0.0
    hour = ts // HOUR
    place = place_of(hour)
    known = integers[where + KNOWN]
    if (known >> place) & 1 == 0:
        return math.nan
    value = floats[at + place]
    # Between the middles of two hours it is between their means.
    part = (ts - hour * HOUR) / HOUR - 0.5
    begins = place - place % HOURS
    neighbour = begins + (place + (1 if part > 0.0 else HOURS - 1)) % HOURS
    if (known >> neighbour) & 1 != 0:
        value += (floats[at + neighbour] - value) * abs(part)
    return float(value - floats[at + LEVEL])


def share_between(floats: Floats, at: int, integers: Integers, where: int, begins: int) -> float:
    """Return the share of the variance between the hours of a kind of day, 0 if it is not smooth.

    -1 if not all of its hours are known.
    """
    known = integers[where + KNOWN]
    for place in range(begins, begins + HOURS):
        if (known >> place) & 1 == 0:
            return -1.0
    mean = 0.0
    for place in range(begins, begins + HOURS):
        mean += floats[at + place]
    mean /= HOURS
    between = 0.0
    neighbours = 0.0
    for place in range(HOURS):
        own = floats[at + begins + place] - mean
        between += own * own
        neighbours += own * (floats[at + begins + (place + 1) % HOURS] - mean)
    if between <= 0.0 or neighbours < SMOOTH * between:
        return 0.0
    between /= HOURS
    return float(between / (between + floats[at + WITHIN]))


def held_against(floats: Floats, at: int, mean: float, before: float) -> None:
    """Let the mean of an hour into a mean and variance over about a day."""
    weight = 1.0 / min(before + 1.0, float(HOURS))
    delta = mean - floats[at]
    floats[at] += weight * delta
    floats[at + 1] += weight * ((1.0 - weight) * delta * delta - floats[at + 1])


def is_no_use(floats: Floats, at: int) -> bool:
    """Tell whether a day has shown that the profile explains too little of it.

    A signal that wanders slowly looks like a season as long as a single day of it is known.
    """
    tried = floats[at + TRIED] >= HOURS
    return bool(tried and floats[at + LEFT + 1] > NO_USE * floats[at + RAW + 1])


def close_hour(floats: Floats, at: int, integers: Integers, where: int, usual: float) -> bool:
    """Let the hour that is over into the profile; tell whether a profile begins or ends to hold."""
    hour = integers[where + NOW]
    place = place_of(hour)
    begins = place - place % HOURS
    kind = 1 if begins > 0 else 0
    count = floats[at + COUNT]
    mean = floats[at + MEAN]
    holds = floats[at + HOLDS] > 0.0
    bit = 1 << place
    if count > 1.0:
        spread = floats[at + M2] / (count - 1.0)
        if floats[at + WITHIN] == 0.0:
            floats[at + WITHIN] = spread
        else:
            floats[at + WITHIN] += (spread - floats[at + WITHIN]) / HOURS
    if holds and (integers[where + KNOWN] & bit) != 0:
        held_against(floats, at + RAW, mean + floats[at + place], floats[at + TRIED])
        held_against(floats, at + LEFT, mean, floats[at + TRIED])
        floats[at + TRIED] += 1.0
    weight = 1.0 / min(1.0 + floats[at + CLOSED + kind] // HOURS, MEMORY_DAYS)
    if integers[where + KNOWN] & bit == 0:
        # What is left of a level that has moved since is no part of the time of day.
        moved = usual - floats[at + LEVEL] if holds and usual == usual else 0.0
        floats[at + place] = mean - moved
        integers[where + KNOWN] |= bit
    elif not holds:
        floats[at + place] += (mean - floats[at + place]) * weight
    elif usual == usual:
        floats[at + place] += (mean - usual) * weight
    floats[at + CLOSED + kind] += 1.0
    share = share_between(floats, at, integers, where, begins)
    if holds and ((share >= 0.0 and share < NO_MORE) or is_no_use(floats, at)):
        floats[at + HOLDS] = 0.0
        return True
    if not holds and share >= EXPLAINED:
        level = 0.0
        for slot in range(begins, begins + HOURS):
            level += floats[at + slot]
        floats[at + LEVEL] = level / HOURS
        floats[at + HOLDS] = 1.0
        for slot in range(TRIED, SLOTS):
            floats[at + slot] = 0.0
        return True
    return False


def advance(
    floats: Floats, at: int, integers: Integers, where: int, ts: int, value: float, usual: float
) -> bool:
    """Take the next value, as what the profile leaves of it.

    Parameters
    ----------
    floats, at, integers, where, ts
        As of `expected`.
    value
        Less what was expected; as it is where that is not known.
    usual
        The mean that the detectors hold for normal, NaN while there is none.

    Returns
    -------
    bool
        Whether from now on a profile holds that did not, or none does any more.
    """
    hour = ts // HOUR
    changed = False
    now = integers[where + NOW]
    if floats[at + COUNT] == 0.0 and now == 0:
        integers[where + FIRST] = hour
        integers[where + NOW] = hour
    elif hour > now:
        changed = close_hour(floats, at, integers, where, usual)
        integers[where + NOW] = hour
        floats[at + COUNT] = 0.0
        floats[at + MEAN] = 0.0
        floats[at + M2] = 0.0
    elif hour < now:
        return False
    count = floats[at + COUNT] + 1.0
    floats[at + COUNT] = count
    delta = value - floats[at + MEAN]
    floats[at + MEAN] += delta / count
    floats[at + M2] += delta * (value - floats[at + MEAN])
    return changed


class Season:
    """The season of one signal.

    Attributes
    ----------
    floats, integers
        `SLOTS` and `INTEGERS` of them; see `advance`. The arrays of a bank hold the same.
    """

    __slots__ = ("floats", "integers")

    def __init__(self) -> None:
        self.floats = [0.0] * SLOTS
        self.integers = [0] * INTEGERS

    @property
    def holds(self) -> bool:
        """Whether there is a profile."""
        return bool(self.floats[HOLDS] > 0.0)

    def expected(self, ts: int) -> float:
        """Return what the time of day adds to the level; see the function of that name."""
        return expected(self.floats, 0, self.integers, 0, ts)

    def advance(self, ts: int, value: float, usual: float) -> bool:
        """Take the next value; see the function of that name."""
        return advance(self.floats, 0, self.integers, 0, ts, value, usual)

    def explains(self, before: Statistics, after: Statistics, since: int, until: int) -> bool:
        """Tell whether a change is what the hours before it had begun, or may be.

        Parameters
        ----------
        before, after
            The signal up to the change point, and from there on.
        since, until
            The change point and the last value, in microseconds since 1970.
        """
        if until - since <= QUICK:
            return False
        # A change is dated a little late now and then: its hour must not be the last one before it.
        hour = (since - HOUR // 2) // HOUR
        last, one_before = (place_of(hour - back) for back in (1, 2))
        known = int(self.integers[KNOWN])
        if not (known >> last) & 1 or not (known >> one_before) & 1:
            return before.n < MANY
        slope = self.floats[last] - self.floats[one_before]
        events_an_hour = max(after.n * HOUR / (until - since), 1.0)
        if abs(slope) < SLOPES * math.sqrt(2.0 * self.floats[WITHIN] / events_an_hour):
            return False
        hours = ((since + until) / 2 - (hour - 0.5) * HOUR) / HOUR
        left = after.mean - (self.floats[last] + slope * hours)
        moved = after.mean - before.mean
        return bool(left / moved < HALF) if moved != 0.0 else True

    @property
    def on_trial(self) -> bool:
        """Whether there is a profile that has not yet had to explain a day."""
        return self.holds and self.floats[TRIED] < HOURS

    def first_day(self, ts: int) -> bool:
        """Tell whether not yet all hours of a day have been seen, if there is an event in each."""
        hours = ts // HOUR - self.integers[FIRST]
        known = self.integers[KNOWN]
        seen = known & WHOLE == WHOLE or known >> HOURS == WHOLE
        return hours < HOURS or (hours < 2 * HOURS and not seen)
