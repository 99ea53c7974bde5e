"""A stuck sensor repeats its last reading, exactly, for much longer than it ever did."""

from __future__ import annotations

import math
from typing import Final

from detectors.signal import Position

FEWEST: Final = 30
"""No run of fewer repeats is called stuck."""

KNOWN: Final = 100
"""Readings from which a sensor's habit of repeating itself is known."""

HABIT: Final = 0.9
"""A sensor that repeats itself more often than this can't be told from a stuck one."""

LONGER: Final = 5.0
"""How much longer than the longest run so far a run must be."""

ODDS: Final = -math.log(1e-12)
"""Of a run that comes by chance, were repeats independent of one another."""


def longest_honest(
    repeats: float, seen: float, longest: float, fewest: float = float(FEWEST)
) -> float:
    """Return how often in a row a sensor may repeat itself and not be stuck.

    Parameters
    ----------
    repeats, seen
        Readings that were equal to the one before, and all readings, without the present run.
    longest
        The longest run before this one.
    fewest
        What is returned at least.
    """
    if seen < KNOWN:
        return math.inf
    habit = (repeats + 1.0) / (seen + 2.0)
    if habit > HABIT:
        return math.inf
    return max(fewest, LONGER * longest, ODDS / -math.log(habit))


class Repeats:
    """How often a sensor repeats its last reading.

    Attributes
    ----------
    last
        The last reading; meaningless before the first.
    seen
        Readings, those of stuck runs left out when these are over.
    repeats
        How many of them were equal to the one before.
    run
        How many of these came in a row up to now.
    longest
        The longest run that was no stuck one.
    began
        The first of the equal readings; None before the first reading.
    stuck
        Whether the present run is longer than can be.
    """

    __slots__ = ("began", "last", "longest", "repeats", "run", "seen", "stuck")

    def __init__(self) -> None:
        self.last = 0.0
        self.seen = 0
        self.repeats = 0
        self.run = 0
        self.longest = 0
        self.began: Position | None = None
        self.stuck = False

    @property
    def limit(self) -> float:
        """The longest run that is not called stuck."""
        return longest_honest(self.repeats - self.run, self.seen - self.run, self.longest)

    def update(self, x: float, at: Position) -> None:
        """Take the next reading."""
        if self.seen and x == self.last:
            self.seen += 1
            self.repeats += 1
            self.run += 1
            if not self.stuck and self.run >= FEWEST:
                self.stuck = self.run > self.limit
            return
        if self.stuck:
            # What a fault did is no habit.
            self.seen -= self.run
            self.repeats -= self.run
            self.stuck = False
        else:
            self.longest = max(self.longest, self.run)
        self.seen += 1
        self.run = 0
        self.last = x
        self.began = at
