"""Something that a sensor hardly ever does, and whether it does it for good now."""

from __future__ import annotations

import math
from typing import Final

from detectors.hygiene.stuck import KNOWN, longest_honest
from detectors.moments import Statistics
from detectors.signal import Position

FEWEST: Final = 10.0
"""No run of fewer odd events is a change."""


class Habit:
    """How often, and for how long in a row, events were odd in one respect.

    Parameters
    ----------
    seen
        Events before the first one that is told of, none of them odd.

    Attributes
    ----------
    seen, times
        Events, and odd ones among them; those of a change that was told are left out when
        it is over.
    run, longest
        Odd events in a row up to now; the longest honest run.
    began
        The first of the run.
    changed
        Whether the run is longer than can be.
    limit
        The longest run that was not, when that was last asked.
    """

    __slots__ = ("began", "changed", "limit", "longest", "run", "seen", "times")

    def __init__(self, seen: int = 0) -> None:
        self.seen = seen
        self.times = 0
        self.run = 0
        self.longest = 0
        self.began = Position(0, 0)
        self.changed = False
        self.limit = math.inf

    @property
    def faulty(self) -> bool:
        """Whether the last event was odd, and that is not this sensor's way."""
        if self.run == 0:
            return False
        never_before = self.times == self.run and self.seen - self.run >= KNOWN
        return self.changed or never_before

    @property
    def before(self) -> Statistics:
        """Of events without the run: how many, and the share of those that were not odd."""
        return share(self.seen - self.run, self.seen - self.times)

    def update(self, odd: bool, at: Position) -> bool:
        """Take the next event; tell whether the change is seen just now."""
        if not odd:
            if self.changed:
                # What a fault did is no habit.
                self.seen -= self.run
                self.times -= self.run
                self.changed = False
            else:
                self.longest = max(self.longest, self.run)
            self.run = 0
            self.seen += 1
            return False
        self.seen += 1
        self.times += 1
        self.run += 1
        if self.run == 1:
            self.began = at
        if self.changed or self.run < FEWEST:
            return False
        self.limit = longest_honest(
            self.times - self.run, self.seen - self.run, self.longest, FEWEST
        )
        self.changed = self.run > self.limit
        return self.changed


def share(n: int, ones: int) -> Statistics:
    """Return the statistics of `n` bits, `ones` of which are 1."""
    mean = ones / n if n else 0.0
    return Statistics(n, mean, math.sqrt(mean * (1.0 - mean) * n / (n - 1)) if n > 1 else 0.0)
