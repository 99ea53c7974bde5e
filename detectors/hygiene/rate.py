"""How often a sensor sends, by its own clock, and whether that clock jumps.

The interval between events is held against a reference of the sensor's own, in which a pause counts
for no more than a few intervals. Were events to come at random times, the logarithm of the odds
that they come twice as often would be log 2 - d/T for each interval d; a sensor that is more
regular than chance makes each interval say more, one whose intervals depend on each other less.
A sum of these (Page's CUSUM) that passes a limit is a changed rate.

An event that is older than the newest one counts as having come at the same time, so that
events that overtake each other change nothing. Many of them in a row, in their order and far
behind, are a clock that was set back, or data that come late.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from detectors.moments import Statistics
from detectors.signal import Finding, Position

# Numbers.
SEEN: Final = 0
"""Events that the reference was taken from; below `START` intervals."""
MEAN: Final = 1
"""Reference interval in microseconds; below `START` the sum of the intervals."""
SPREAD: Final = 2
"""Variance of an interval, for a mean of 1; below `START` the longest interval."""
COVARIANCE: Final = 3
LAST: Final = 4
"""Deviation of the last interval, for the covariance of neighbours."""
SUM: Final = 5
"""Evidence for twice as many events (above 0) or half as many (below)."""
BEGAN_SEEN: Final = 6
"""`SEEN` when the sum left 0."""
WAITING: Final = 7
"""Events since the newest time last moved, and one; 0 before the first event."""
RUN: Final = 8
"""Events in a row far behind, in their order; below 0: far ahead of the broker's clock."""
LATE: Final = 9
"""Events in a row far behind, in any order."""
NUMBERS: Final = 10

# Times.
NEWEST: Final = 0
BEGAN: Final = 1
"""Offset and time of the first event of what is suspected."""
TIMES: Final = 3

# What `step` returns.
USUAL: Final = 0
FASTER: Final = 1
SLOWER: Final = 2
BACK: Final = 3
AHEAD: Final = 4
JUMPED: Final = 5

START: Final = 10.0
"""Intervals that the first reference is taken from, the longest of them left out."""
WINDOW: Final = 1000.0
"""Events that the reference remembers."""
KNOWN: Final = 160.0
"""Events, times how regular they are, from which the reference is good enough."""
REGULAR: Final = 4.0
"""The most that one interval says, in intervals of a sensor that sends at random."""
LONGEST: Final = 4.0
"""Intervals that a pause counts for."""
STOPPED: Final = 64.0
"""Events at one time from which on the clock stands still."""
LIMIT: Final = 18.0
"""Evidence that is a finding: from a simulation of false alarms, see docs/detection-quality.md."""
SUSPICION: Final = 4.0
"""Evidence from which on the reference is kept as it is."""
FAR: Final = 10.0
"""Intervals that an event must be late by to be far behind."""
IN_A_ROW: Final = 10.0
"""Events in order, far behind or far ahead, that are a clock set otherwise."""
GIVEN_UP: Final = 100.0
"""Events far behind in any order after which the newest time is taken to be wrong."""
FUTURE: Final = 1_800_000_000
"""Microseconds ahead of the broker's clock that are no matter of clocks that differ."""

_LN2: Final = math.log(2.0)
_DEPENDENT: Final = 0.95
_SECOND: Final = 1e6


def step(
    numbers: list[float],
    at: int,
    times: list[int],
    where: int,
    offset: int,
    ts: int,
    last_ts: int,
    arrived: int,
) -> int:
    """Take the next event; the same code is compiled for rows.

    Parameters
    ----------
    numbers, at
        State, its first slot at `at`.
    times, where
        The rest of it.
    offset, ts
        The event's offset, and its time in microseconds.
    last_ts
        Time of the sensor's event before it.
    arrived
        The broker's time for it in milliseconds, below 0 if there is none.

    Returns
    -------
    int
        `USUAL`, or what was found.

    References
    ----------
    Page, "Continuous inspection schemes", Biometrika 41, 1954; Lorden, "Procedures for reacting to
    a change in distribution", Annals of Mathematical Statistics 42, 1971.
    """
    seen = numbers[at + SEEN]
    mean = numbers[at + MEAN]
    newest = times[where + NEWEST]
    if numbers[at + WAITING] == 0.0:
        times[where + NEWEST] = ts
        numbers[at + WAITING] = 1.0
        return USUAL
    gap = float(ts - newest)
    if gap > 0.0:
        if (
            seen >= START
            and arrived >= 0
            and gap > FUTURE
            and gap > 2.0 * FAR * mean
            and float(ts) - 1000.0 * float(arrived) > FUTURE
        ):
            if numbers[at + RUN] >= 0.0:
                numbers[at + RUN] = 0.0
                numbers[at + SUM] = 0.0
                times[where + BEGAN] = offset
                times[where + BEGAN + 1] = ts
            numbers[at + RUN] -= 1.0
            if numbers[at + RUN] > -IN_A_ROW:
                return AHEAD
            numbers[at + RUN] = 0.0
            numbers[at + LATE] = 0.0
            numbers[at + WAITING] = 1.0
            times[where + NEWEST] = ts
            return JUMPED
    elif seen >= START and -gap > FAR * mean:
        numbers[at + SUM] = 0.0
        numbers[at + LATE] += 1.0
        if numbers[at + RUN] <= 0.0 or ts < last_ts:
            numbers[at + RUN] = 1.0
            times[where + BEGAN] = offset
            times[where + BEGAN + 1] = ts
        elif ts > last_ts:
            numbers[at + RUN] += 1.0
        back = numbers[at + RUN] >= IN_A_ROW
        if back or numbers[at + LATE] >= GIVEN_UP:
            numbers[at + RUN] = 0.0
            numbers[at + LATE] = 0.0
            numbers[at + WAITING] = 1.0
            times[where + NEWEST] = ts
        return BACK if back else USUAL
    numbers[at + RUN] = 0.0
    numbers[at + LATE] = 0.0
    if gap <= 0.0 and (numbers[at + WAITING] < STOPPED or seen < START):
        numbers[at + WAITING] += 1.0
        return USUAL
    events = numbers[at + WAITING]
    numbers[at + WAITING] = 1.0
    if gap > 0.0:
        times[where + NEWEST] = ts
    else:
        gap = 0.0
    if seen < START:
        each = gap / events
        numbers[at + SEEN] = seen + 1.0
        mean += each
        if each > numbers[at + SPREAD]:
            numbers[at + SPREAD] = each
        if seen + 1.0 >= START:
            mean = (mean - numbers[at + SPREAD]) / (START - 1.0)
            numbers[at + SPREAD] = 1.0
            numbers[at + COVARIANCE] = 0.0
            numbers[at + LAST] = 0.0
            numbers[at + SUM] = 0.0
        numbers[at + MEAN] = mean
        return USUAL

    ratio = gap / mean
    if ratio > LONGEST * events:
        ratio = LONGEST * events
    spread = numbers[at + SPREAD]
    dependence = 0.0
    if spread > 0.0:
        dependence = numbers[at + COVARIANCE] / spread
        if dependence < 0.0:
            dependence = 0.0
        if dependence > _DEPENDENT:
            dependence = _DEPENDENT
    variance = spread * (1.0 + dependence) / (1.0 - dependence)
    weight = REGULAR
    if variance * REGULAR > 1.0:
        weight = 1.0 / variance
    seen += events
    numbers[at + SEEN] = seen
    if seen * weight >= KNOWN:
        faster = weight * (_LN2 * events - ratio)
        slower = weight * (0.5 * ratio - _LN2 * events)
        total = numbers[at + SUM]
        if total > 0.0:
            total += faster
            if total < 0.0:
                total = 0.0
        elif total < 0.0:
            total -= slower
            if total > 0.0:
                total = 0.0
        if total == 0.0 and (faster > 0.0 or slower > 0.0):
            total = faster if faster > 0.0 else -slower
            numbers[at + BEGAN_SEEN] = seen - events
            times[where + BEGAN] = offset
            times[where + BEGAN + 1] = ts
        numbers[at + SUM] = total
        if total > LIMIT:
            return FASTER
        if total < -LIMIT:
            return SLOWER
    deviation = (ratio - events) / math.sqrt(events)
    if -SUSPICION <= numbers[at + SUM] <= SUSPICION:
        share = events / (seen if seen < WINDOW else WINDOW)
        if share > 1.0:
            share = 1.0
        product = deviation * numbers[at + LAST]
        numbers[at + MEAN] = mean + share * (ratio / events - 1.0) * mean
        numbers[at + SPREAD] = spread + share * (deviation * deviation - spread)
        numbers[at + COVARIANCE] += share * (product - numbers[at + COVARIANCE])
    numbers[at + LAST] = deviation
    return USUAL


class Rate:
    """How often one sensor sends.

    Attributes
    ----------
    numbers, times
        State, as `step` has it.
    """

    __slots__ = ("numbers", "times")

    def __init__(self) -> None:
        self.numbers = [0.0] * NUMBERS
        self.times = [0] * TIMES

    @property
    def interval(self) -> float | None:
        """Seconds between events that count as normal; None while that is not known."""
        return self.numbers[MEAN] / _SECOND if self.numbers[SEEN] >= START else None

    @property
    def ahead(self) -> bool:
        """Whether the last event's time is not to be trusted: far ahead, and nobody knows why."""
        return self.numbers[RUN] < 0.0

    @property
    def newest(self) -> int:
        """The newest time that is trusted, in microseconds."""
        return self.times[NEWEST]

    def update(self, at: Position, last_ts: int, arrived: int) -> Finding | None:
        """Take the next event; see `step`."""
        behind = (self.times[NEWEST] - at.ts) / _SECOND
        found = step(self.numbers, 0, self.times, 0, at.offset, at.ts, last_ts, arrived)
        if found == USUAL:
            return None
        began = Position(self.times[BEGAN], self.times[BEGAN + 1])
        if found in (AHEAD, JUMPED):
            ahead = at.ts / _SECOND - arrived / 1000.0
            kind: Literal["warning", "drift"] = "drift" if found == JUMPED else "warning"
            return Finding("rate", kind, "up", ahead, FUTURE / _SECOND, began, None, None)
        if found == BACK:
            far = FAR * self.numbers[MEAN] / _SECOND
            return Finding("rate", "drift", "down", behind, far, began, None, None)
        numbers = self.numbers
        mean = numbers[MEAN] / _SECOND
        events = max(int(numbers[SEEN] - numbers[BEGAN_SEEN]), 1)
        # The first of them ended an interval that is part of what came after.
        since = (at.ts - began.ts) / _SECOND / max(events - 1, 1)
        finding = Finding(
            "rate",
            "drift",
            "down" if found == FASTER else "up",
            abs(numbers[SUM]),
            LIMIT,
            began,
            Statistics(int(numbers[BEGAN_SEEN]), mean, mean * math.sqrt(numbers[SPREAD])),
            Statistics(events, since, 0.0),
        )
        self._begin_anew()
        return finding

    def _begin_anew(self) -> None:
        """Take what follows as the new normal."""
        newest = self.times[NEWEST]
        self.numbers = [0.0] * NUMBERS
        self.numbers[WAITING] = 1.0
        self.times = [newest, 0, 0]
