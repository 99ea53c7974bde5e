"""Faults on the way here, told apart from drift: a reading that is stuck, a changed unit.

A stuck sensor repeats its last reading, exactly, for much longer than it ever did; nothing can be
learned from such readings. A changed unit moves mean and spread together, as one of the usual
conversions would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from detectors.signal import Position, Statistics

__all__ = ["CONVERSIONS", "FEWEST", "Conversion", "Repeats", "conversion", "longest_honest"]

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

FEWEST_AFTER: Final = 5
"""Readings in another unit from which it is recognised."""

FAR: Final = 10.0
"""Standard deviations that a change of unit moves the mean by at least: less could be anything."""

CLOSE: Final = 3.0
"""Standard errors within which mean and spread must be what the conversion makes of them."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """``y = factor * x + offset``."""

    name: str
    factor: float
    offset: float = 0.0


CONVERSIONS: Final = (
    Conversion("Celsius to Fahrenheit", 1.8, 32.0),
    Conversion("Fahrenheit to Celsius", 1 / 1.8, -32.0 / 1.8),
    Conversion("Celsius to kelvin", 1.0, 273.15),
    Conversion("kelvin to Celsius", 1.0, -273.15),
    *(
        Conversion(f"x{factor:g}", factor)
        for size in (1000.0, 100.0, 60.0, 10.0)
        for factor in (size, 1.0 / size)
    ),
    Conversion("bar to psi", 14.503774),
    Conversion("psi to bar", 1 / 14.503774),
    Conversion("inch to millimetre", 25.4),
    Conversion("millimetre to inch", 1 / 25.4),
    Conversion("m/s to km/h", 3.6),
    Conversion("km/h to m/s", 1 / 3.6),
)
"""Those that a changed firmware or gateway brings about."""


def conversion(before: Statistics | None, after: Statistics | None) -> Conversion | None:
    """Return the change of unit that explains what came after a change, None if none does.

    Parameters
    ----------
    before, after
        The signal up to the change point and from there on, in its own unit.
    """
    if before is None or after is None or after.n < FEWEST_AFTER:
        return None
    if before.std <= 0.0 or after.std <= 0.0:
        return None
    if abs(after.mean - before.mean) < FAR * before.std:
        return None
    # A process that moves keeps its spread, more or less; then no conversion is called for.
    unchanged = abs(math.log(after.std / before.std))
    best: tuple[float, Conversion] | None = None
    for known in CONVERSIONS:
        spread = known.factor * before.std
        # The mean before is known only so well, and it is multiplied too.
        error = spread * math.sqrt(1.0 / after.n + 1.0 / max(before.n, 1))
        miss = abs(after.mean - (known.factor * before.mean + known.offset)) / error
        # The logarithm of a sample's standard deviation has this standard error, about.
        apart = abs(math.log(after.std / spread))
        alike = apart <= CLOSE / math.sqrt(2.0 * (after.n - 1)) and apart <= unchanged
        if miss <= CLOSE and alike and (best is None or miss < best[0]):
            best = miss, known
    return None if best is None else best[1]


def longest_honest(repeats: float, seen: float, longest: float) -> float:
    """Return how often in a row a sensor may repeat itself and not be stuck.

    Parameters
    ----------
    repeats, seen
        Readings that were equal to the one before, and all readings, without the present run.
    longest
        The longest run before this one.
    """
    if seen < KNOWN:
        return math.inf
    habit = (repeats + 1.0) / (seen + 2.0)
    if habit > HABIT:
        return math.inf
    return max(float(FEWEST), LONGER * longest, ODDS / -math.log(habit))


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
