"""A changed unit moves mean and spread together, as a conversion would, and then both stay.

A detector finds such a jump within some eight readings, too few to tell a changed spread from an
unchanged one. So what may be a change of unit is looked at for up to thirty readings before it is
told as what it is. Meanwhile, and as long as another unit lasts, no model learns from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

from detectors.base import LARGEST
from detectors.calibration import Reference
from detectors.moments import Moments, Statistics, together
from detectors.signal import Finding, SignalMonitor

FEWEST_AFTER: Final = 5
"""Readings in another unit from which a large one is recognised."""

JUDGED: Final = 30
"""Readings from which any is, and from which what is none is told as a drift."""

FAR: Final = 10.0
"""Standard deviations that a change of unit moves the mean by at least: less could be anything."""

CLOSE: Final = 3.0
"""Standard errors within which mean and spread must be what the conversion makes of them."""

LARGE: Final = 10.0
"""A factor that no process changes its spread by while the mean happens to fit."""

SCALED: Final = 2.0
"""A factor that no table knows must be so large, or its inverse."""

NEAR: Final = 5.0
"""Scales from the old mean within which a reading is in the old unit."""

BACK: Final = 5
"""Such readings in a row with which it is back."""

Verdict = Literal["unit", "process", "open"]


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


def conversion(
    before: Statistics | None, after: Statistics | None, wander: float = 1.0
) -> Conversion | None:
    """Return the change of unit that explains what came after a change, None if none does.

    This may be any factor of at least `SCALED`. From `JUDGED` readings on an unchanged spread must
    not explain them better.

    Parameters
    ----------
    before, after
        The signal up to the change point and from there on, in its own unit.
    wander
        By how much its mean is less certain than that of independent readings.
    """
    if before is None or after is None or after.n < FEWEST_AFTER:
        return None
    if before.std <= 0.0 or after.std <= 0.0:
        return None
    if abs(after.mean - before.mean) < FAR * before.std:
        return None
    # A process that moves keeps its spread, more or less; then no conversion is called for.
    unchanged = abs(math.log(after.std / before.std))
    # The logarithm of a sample's standard deviation has this standard error, about.
    uncertain = wander / math.sqrt(2.0 * (after.n - 1))
    best: tuple[float, Conversion] | None = None
    for known in (*CONVERSIONS, *_scaled(before, after)):
        spread = known.factor * before.std
        # The mean before is known only so well, and it is multiplied too.
        error = wander * spread * math.sqrt(1.0 / after.n + 1.0 / max(before.n, 1))
        miss = abs(after.mean - (known.factor * before.mean + known.offset)) / error
        apart = abs(math.log(after.std / spread))
        alike = apart <= CLOSE * uncertain and (apart <= unchanged or after.n < JUDGED)
        if miss <= CLOSE and alike and (best is None or miss < best[0]):
            best = miss, known
    return None if best is None else best[1]


def judge(before: Statistics, first: Statistics, rest: Statistics, wander: float) -> Verdict:
    """Say whether a jump is a change of unit, if that can be said yet.

    Parameters
    ----------
    before
        The signal up to the change point.
    first, rest
        What came from there until a detector found it, and since then.
    wander
        See `conversion`.
    """
    after = together(first, rest)
    if after.n < FEWEST_AFTER:
        far = abs(after.mean - before.mean) >= FAR * before.std > 0.0
        return "open" if far else "process"
    found = conversion(before, after, wander)
    if found is None:
        return "process"
    if after.n >= JUDGED:
        return "unit" if _steady(first, rest, found.factor * before.std * wander) else "process"
    return "unit" if abs(math.log(found.factor)) >= math.log(LARGE) else "open"


def _scaled(before: Statistics, after: Statistics) -> tuple[Conversion, ...]:
    """Return the factor between two means, where it could be that of a unit."""
    if before.mean * after.mean <= 0.0:
        return ()
    factor = after.mean / before.mean
    if abs(math.log(factor)) < math.log(SCALED):
        return ()
    return (Conversion(f"x{factor:g}", factor),)


def _steady(first: Statistics, rest: Statistics, std: float) -> bool:
    """Tell whether a signal stays where it has jumped to: another unit of what stays does."""
    if not first.n or not rest.n:
        return True
    return abs(rest.mean - first.mean) <= CLOSE * std * math.sqrt(1.0 / first.n + 1.0 / rest.n)


def reference_in_use(monitor: SignalMonitor | None) -> Reference | None:
    """Return what a monitor measures its signal against, None if that is not known."""
    return None if monitor is None else monitor.measure


@dataclass(frozen=True, slots=True)
class Step:
    """What one reading in what may be another unit leads to.

    Attributes
    ----------
    finding
        What is to be told now.
    over
        Why it is looked at no longer: it is a change of the `process`, the old unit is `back`,
        or the new one has lasted for so long that it is `accepted`; None: it goes on.
    """

    finding: Finding | None
    over: Literal["process", "back", "accepted"] | None


class Watch:
    """A signal that is in another unit, or may be.

    Parameters
    ----------
    finding
        How a detector found it.
    reference
        What the signal was measured against before.

    Attributes
    ----------
    verdict
        ``open`` until it can be said what it is.
    """

    __slots__ = ("_back", "_finding", "_held", "_reference", "_rest", "verdict")

    def __init__(self, finding: Finding, reference: Reference | None) -> None:
        self._finding = finding
        self._reference = reference
        self._rest = Moments()
        self._back = 0
        self._held = 0
        self.verdict: Verdict = self._judge()

    @property
    def finding(self) -> Finding:
        """What is to be told, as far as is known."""
        finding, rest = self._finding, self._rest.statistics
        after = rest if finding.after is None else together(finding.after, rest)
        name = "unit" if self.verdict == "unit" else finding.detector
        return replace(finding, detector=name, after=after)

    def update(self, x: float, patience: int) -> Step:
        """Take the next reading, `patience` of which make a new normal."""
        self._held += 1
        if self._is_old(x):
            self._back += 1
            if self._back == BACK:
                return Step(None if self.verdict == "unit" else self.finding, "back")
        else:
            self._back = 0
            self._rest.add(min(max(x, -LARGEST), LARGEST))
        if self.verdict == "unit":
            return Step(self.finding, "accepted" if self._held >= patience else None)
        self.verdict = self._judge() if self._held < 2 * JUDGED else "process"
        if self.verdict == "process":
            return Step(self.finding, "process")
        if self.verdict == "unit":
            self._held = 0
            return Step(self.finding, None)
        return Step(None, None)

    def restore(self, monitor: SignalMonitor) -> None:
        """Let the signal's monitor go on as before."""
        if self._reference is not None:
            monitor.measure_by(self._reference)

    def _judge(self) -> Verdict:
        before, first = self._finding.before, self._finding.after
        if before is None or first is None:
            return "process"
        reference = self._reference
        wander = 1.0
        if reference is not None and reference.std > 0.0:
            wander = max(reference.scale / reference.std, 1.0)
        return judge(before, first, self._rest.statistics, wander)

    def _is_old(self, x: float) -> bool:
        before, reference = self._finding.before, self._reference
        if before is None:
            return False
        scale = before.std if reference is None else reference.scale
        return abs(x - before.mean) <= NEAR * scale
