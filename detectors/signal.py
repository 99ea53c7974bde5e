"""One signal of one sensor: learn what is normal, watch it, say what changed and since when."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from detectors.base import LARGEST, Detector
from detectors.calibration import Reference, reference_of
from detectors.excursions import FIRST, HIGHEST, REACH, Excursions, next_due, under_way
from detectors.moments import Moments, Statistics
from detectors.registry import Parameter, create
from schemas.errors import ConfigurationError

Kind = Literal["warning", "drift"]
Direction = Literal["up", "down", "none"]

Z_LIMIT = 10.0
"""Detectors see no value farther from the reference than this many scales: one wild reading is
no drift, and two are none either."""

Z_LIMIT_OF_A_CONSTANT = 5.0
"""The same where all of the warm-up was one value: any other is far away, and says nothing of how
far is far. Rare ones among zeros stay below the limit, a new constant passes it in 15 values."""

QUICK = 300_000_000
"""Microseconds within which the time of day changes little."""

SURE = 7.0
"""Standard errors that a slope must come to, had a straight line led here, for it to tell."""
STEP = 0.3
LINE = 0.8
"""Up to which part of that slope, either way, a change is a step, and from which on a line. Noise
before the change that is taken for a part of it makes a step look like a line, less and less as it
goes on. What comes back as steeply is a wave."""

WAIT = 1.5
UNDECIDED = 0.8
"""Where neither is clear, a limit is multiplied by `WAIT`, as long as it is below
this part of the highest one."""

ALLOWANCE = 0.5
"""The slack k of the CUSUM that dates a change: best for shifts of one scale."""

OUTWEIGHS = 3.0
"""A value whose evidence exceeds all before it by this much dates the change anew: a jump is not
to begin at the noise right before it."""

FEWEST_ONES = 10
PATIENCE = 50
"""A bit detector's drift stands once it has seen `FEWEST_ONES` ones, the last of them at most
`PATIENCE` values after the alarm. DDM alone calls one error after 1,000 right answers a drift.
A warning is over, and the next one a new one, after `PATIENCE` values outside its zone."""

CLIP = 20.0
"""Scales from the reference beyond which a value is wild."""

LEARNABLE = 6.0
"""What a model learns is limited to so many scales from the reference. At 20 of them one reading
of a long tail takes a step of the gradient that the model's error shows for a hundred events."""

STALE = 100
"""So many wild values in a row are the new normal, whatever the detectors say, or if there are
none: a reference that never moved would limit what is learned for ever."""

UNSCALED_WARMUP = 30
SMALLEST_UNSCALED_STD = 0.05
"""For signals that are bits or shares: a run of zeros does not make the first one a thousand
standard deviations."""


class Caution(Enum):
    """What of a drift a monitor does not believe."""

    NONE = "nothing"
    LINES = "what is clearly a line"
    STEPS = "what is not clearly a step"
    ALL = "anything"


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the input: a source offset, and the event's time in microseconds since 1970."""

    offset: int
    ts: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector found at one event.

    Attributes
    ----------
    detector
        Its name.
    kind
        ``"warning"`` or ``"drift"``.
    direction
        Which way the mean went.
    score, threshold
        The detector's statistic and its limit, where it has them; in reference scales for a
        scaled signal.
    change_point
        Since when, by maximum likelihood under a shift of the mean (Page's CUSUM).
    before, after
        The signal up to the change point, and from there on.
    """

    detector: str
    kind: Kind
    direction: Direction
    score: float | None
    threshold: float | None
    change_point: Position
    before: Statistics | None
    after: Statistics | None


class _Side:
    """One side of the CUSUM: its sum, and what has come since the sum last left zero."""

    __slots__ = ("before", "began", "since", "sum", "tilt")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.sum = 0.0
        self.began: Position | None = None
        self.before = Moments()
        self.since = Moments()
        self.tilt = 0.0

    def add(self, x: float) -> None:
        self.since.add(x)
        self.tilt += self.since.n * x

    def begin(self, at: Position, seen: Moments) -> None:
        self.began = at
        self.before = Moments(seen.n, seen.mean, seen.m2)
        self.since = Moments()
        self.tilt = 0.0

    def slope(self, scale: float) -> tuple[float, float]:
        """Return the slope since the side began, away from the level before, in standard errors.

        Parameters
        ----------
        scale
            Standard deviation of the noise.

        Returns
        -------
        (float, float)
            The slope, about 0 after a step; and what it would be had a straight line led here.
        """
        n, moved = self.since.n, self.since.mean - self.before.mean
        if n < 2:
            return 0.0, 0.0
        along = self.tilt - self.since.mean * n * (n + 1) / 2.0
        errors = along / (scale * math.sqrt(n * (n * n - 1) / 12.0))
        return math.copysign(1.0, moved) * errors, abs(moved) / scale * math.sqrt(n / 3.0)


class _Attached:
    """A detector at work on the signal."""

    __slots__ = ("bit", "calm", "detector", "excursions", "ones", "patience")

    def __init__(self, detector: Detector, calibrates: bool) -> None:
        self.detector = detector
        self.bit = detector.domain == "bit"
        self.excursions = Excursions() if calibrates else None
        self.restart()

    def restart(self) -> None:
        self.detector.reset()
        if self.excursions is not None:
            self.excursions.clear()
        self.ones = 0
        self.patience = 0
        self.calm = PATIENCE

    def step(self, z: float, bit: int) -> Kind | None:
        """Feed the detector; tell what it found now, a warning only when it begins."""
        detector = self.detector
        if not self.bit:
            if self.excursions is not None:
                z = min(max(z, -REACH), REACH)
            detector.update(z)
            if detector.drift_detected:
                return "drift"
            if self.excursions is not None and detector.score is not None:
                self.excursions.update(detector.score)
        elif bit < 0:
            return None
        else:
            self.ones += bit
            if self.patience:
                self.patience -= 1
            else:
                detector.update(bit)
                if not detector.drift_detected:
                    return self._warning()
                if self.ones < FEWEST_ONES:
                    self.patience = PATIENCE
            if self.ones >= FEWEST_ONES:
                return "drift"
            if not self.patience:  # unconfirmed; the detector's next update starts from nothing
                self.ones = 0
            return None
        return self._warning()

    def _warning(self) -> Kind | None:
        if not self.detector.warning_detected or (self.bit and self.ones < FEWEST_ONES):
            self.calm = min(self.calm + 1, PATIENCE)
            return None
        begins = self.calm >= PATIENCE
        self.calm = 0
        return "warning" if begins else None


class SignalMonitor:
    """Watches one signal with several detectors, and explains what they find.

    A scaled signal is first learned: its first `warmup` values give a robust reference. From
    then on each value's distance from it, in reference scales and limited to ±10, goes to the
    detectors of real numbers; detectors of bits get whether the value exceeds the warm-up's 0.9
    quantile. An unscaled signal (0 and 1, or a share) goes to them as it is, from the first
    value.

    A detector whose limit can be calibrated begins with a wide one. From `FIRST` values of the same
    reference on the monitor is `due` now and then: `calibrate` then takes the limit from how far
    the detector has strayed so far.

    After a drift the monitor takes what follows as the new normal: everything is learned again.
    Memory is bounded, whatever comes.

    Parameters
    ----------
    detectors
        Name and parameters of each detector; no name twice.
    warmup
        Values the reference is taken from, at least 10.
    scaled
        Measure the values against a reference.
    calibrated
        Names of the detectors whose limits are taken from the signal; only of a scaled one.
    alarm_on
        ``"up"``: only a drift upwards is a finding (a falling error is learning); any other is
        taken as the new normal in silence.

    Raises
    ------
    ConfigurationError
        An unknown detector or parameter, a detector twice, too short a warm-up.
    """

    __slots__ = (
        "_alarm_on",
        "_attached",
        "_beyond",
        "_buffer",
        "_down",
        "_due",
        "_per_scale",
        "_reach",
        "_reference",
        "_scaled",
        "_seen",
        "_up",
        "_warmup",
        "_wild",
    )

    def __init__(
        self,
        detectors: Sequence[tuple[str, Mapping[str, Parameter]]],
        warmup: int,
        scaled: bool = True,
        alarm_on: Literal["both", "up"] = "both",
        calibrated: Collection[str] = (),
    ) -> None:
        names = [name for name, _ in detectors]
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError("detectors", names, f"{name} once")
        if warmup < 10:
            raise ConfigurationError("detectors.warmup", warmup, "an integer at least 10")
        self._attached = tuple(
            _Attached(create(name, **params), scaled and name in calibrated)
            for name, params in detectors
        )
        self._warmup = warmup
        self._scaled = scaled
        self._alarm_on = alarm_on
        self.reset()

    def reset(self) -> None:
        """Forget the reference and all that the detectors have seen; learn again."""
        self._buffer: list[float] = []
        self._reference: Reference | None = None
        self._per_scale = 0.0
        self._reach = Z_LIMIT
        self._beyond = 0
        self._wild = False
        self._seen = Moments()
        self._up = _Side()
        self._down = _Side()
        calibrates = any(attached.excursions is not None for attached in self._attached)
        self._due: float = FIRST if calibrates else math.inf
        for attached in self._attached:
            attached.restart()

    @property
    def due(self) -> bool:
        """Whether it is time to `calibrate`."""
        return self._seen.n >= self._due

    def calibrate(self, rate: float, factor: float = 1.0) -> None:
        """Take the limits from how far the detectors have strayed since the reference was taken.

        One that strays just now keeps its limit: a change is not to raise that.

        Parameters
        ----------
        rate
            False alarms per value that each of the detectors may have, above 0.
        factor
            What the limits are multiplied by; see `detectors.strictness`.
        """
        n = self._seen.n
        for attached in self._attached:
            excursions, limit = attached.excursions, attached.detector.threshold
            if excursions is None or (limit is not None and under_way(excursions.top, limit, n)):
                continue
            attached.detector.calibrate(factor * excursions.limit(n, rate))
        self._due = next_due(n)

    @property
    def reference(self) -> Statistics | None:
        """What counts as normal now; none during the warm-up and for an unscaled signal."""
        reference = self._reference
        if reference is None:
            return None
        return Statistics(reference.n, reference.mean, reference.std)

    @property
    def usual(self) -> Statistics | None:
        """The values since the reference began to be taken, wild ones limited; None if none."""
        return self._seen.known

    @property
    def outliers_in_warmup(self) -> int:
        """Values that the present reference leaves out as wild."""
        return self._reference.outliers if self._reference else 0

    @property
    def wild_in_warmup(self) -> bool:
        """Whether a value that the present reference was taken from is one that `clip` limits."""
        return self._wild

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """The detectors at work, in their order."""
        return tuple(attached.detector for attached in self._attached)

    @property
    def suspected(self) -> tuple[Position, Statistics, Statistics] | None:
        """The change that is suspected now: since when, before it and since; None if none is."""
        side = self._side
        before, since = side.before.known, side.since.known
        if side.sum == 0.0 or side.began is None or before is None or since is None:
            return None
        return side.began, before, since

    @property
    def measure(self) -> Reference | None:
        """What the signal is measured against now; see `reference`."""
        return self._reference

    def measure_by(self, reference: Reference) -> None:
        """Measure the signal against an earlier reference again, from nothing."""
        self.reset()
        self._reference = reference
        self._per_scale = 1.0 / reference.scale
        self._reach = Z_LIMIT if reference.std > 0.0 else Z_LIMIT_OF_A_CONSTANT

    @property
    def _side(self) -> _Side:
        """The side for which there is more evidence."""
        return self._up if self._up.sum >= self._down.sum else self._down

    def clip(self, x: float, sigmas: float = CLIP) -> float:
        """Limit `x` to so many scales from the reference; as it is while there is none."""
        reference = self._reference
        if reference is None:
            return x
        reach = sigmas * reference.scale
        return min(max(x, reference.mean - reach), reference.mean + reach)

    def learnable(self, x: float) -> float:
        """Limit `x` to what a model is to learn of it."""
        return self.clip(x, LEARNABLE)

    def update(
        self, x: float, at: Position, caution: Caution = Caution.NONE
    ) -> tuple[Finding, ...]:
        """Take the signal's next value.

        Parameters
        ----------
        x
            The value, in the signal's own unit. NaN is left out; beyond ±1e100 it counts as
            ±1e100.
        at
            Where it comes from.
        caution
            What of a drift is not believed.

        Returns
        -------
        tuple of Finding
            At most one for each detector, in their order; mostly none.
        """
        if not -LARGEST <= x <= LARGEST:
            if x != x:
                return ()
            x = math.copysign(LARGEST, x)
        seen = self._seen
        reference = self._reference
        if reference is not None:
            z = (x - reference.mean) * self._per_scale
            reach = self._reach
            if -reach <= z <= reach:
                if self._beyond:
                    self._beyond = 0
            else:
                if not -CLIP <= z <= CLIP:
                    self._beyond += 1
                    if self._beyond >= max(STALE, self._warmup):
                        self.reset()
                        return ()
                z = math.copysign(reach, z)
            usual = reference.mean + z * reference.scale
            fed = z
            bit = 1 if x > reference.limit else 0
        elif self._scaled:
            self._buffer.append(x)
            if len(self._buffer) >= self._warmup:
                self._calibrate()
            return ()
        else:
            z = self._unscaled_distance(x)
            usual = fed = x
            bit = int(x) if x == 0 or x == 1 else -1

        side = self._up
        evidence = z - ALLOWANCE
        total = side.sum + evidence
        if total > 0.0:
            if side.sum == 0.0 or evidence > side.sum + OUTWEIGHS:
                side.begin(at, seen)
            side.sum = total
            side.add(x)
        elif side.sum > 0.0:
            side.clear()
        side = self._down
        evidence = -z - ALLOWANCE
        total = side.sum + evidence
        if total > 0.0:
            if side.sum == 0.0 or evidence > side.sum + OUTWEIGHS:
                side.begin(at, seen)
            side.sum = total
            side.add(x)
        elif side.sum > 0.0:
            side.clear()
        seen.add(usual)

        found: list[tuple[_Attached, Kind]] = []
        for attached in self._attached:
            kind = attached.step(fed, bit)
            if kind is not None:
                found.append((attached, kind))
        if not found:
            return ()
        if caution is not Caution.NONE:
            verdict = self._verdict(caution, at)
            if verdict != "change":
                # A warning changes nothing, so there is nothing to be taken as normal either.
                if any(kind == "drift" for _, kind in found):
                    self._go_on(verdict)
                return ()
        return self._explain(found, at)

    def _verdict(self, caution: Caution, at: Position) -> Literal["change", "usual", "unclear"]:
        """Tell whether what was found is a change, is usual at that time of day, or unclear."""
        side = self._side
        if caution is Caution.ALL or self._reference is None:
            return "usual"
        if side.sum == 0.0 or side.began is None or at.ts - side.began.ts <= QUICK:
            return "change"
        slope, of_a_line = side.slope(self._reference.scale)
        sure = of_a_line >= SURE
        if sure and abs(slope) <= STEP * of_a_line:
            return "change"
        if sure and slope >= LINE * of_a_line:
            return "usual"
        return "change" if caution is Caution.LINES else "unclear"

    def _go_on(self, verdict: Literal["usual", "unclear"]) -> None:
        """Go on with higher limits where it is unclear, or take what comes as the new normal."""
        summing = [item.detector for item in self._attached if item.excursions is not None]
        limits = [detector.threshold or 0.0 for detector in summing]
        if verdict == "usual" or not limits or max(limits) >= UNDECIDED * HIGHEST:
            self.reset()
            return
        for detector, limit in zip(summing, limits, strict=True):
            detector.go_on(WAIT * limit)

    def _unscaled_distance(self, x: float) -> float:
        seen = self._seen
        if seen.n < UNSCALED_WARMUP:
            return 0.0
        std = max(math.sqrt(seen.m2 / seen.n), SMALLEST_UNSCALED_STD)
        return min(max((x - seen.mean) / std, -Z_LIMIT), Z_LIMIT)

    def _calibrate(self) -> None:
        values, self._buffer = self._buffer, []
        reference = self._reference = reference_of(values)
        self._per_scale = 1.0 / reference.scale
        self._reach = reach = Z_LIMIT if reference.std > 0.0 else Z_LIMIT_OF_A_CONSTANT
        self._wild = any(self.clip(x) != x for x in values)
        for x in values:
            # The detectors know the warm-up, so that a change right after it is one to them.
            z = min(max((x - reference.mean) * self._per_scale, -reach), reach)
            bit = 1 if x > reference.limit else 0
            self._seen.add(reference.mean + z * reference.scale)
            for attached in self._attached:
                if attached.step(z, bit) == "drift":
                    attached.restart()

    def _explain(
        self, found: Sequence[tuple[_Attached, Kind]], at: Position
    ) -> tuple[Finding, ...]:
        side = self._side
        direction: Direction = "up" if side is self._up else "down"
        change_point, before, after = side.began, side.before, side.since
        if side.sum == 0.0 or change_point is None:
            direction, change_point, before, after = "none", at, self._seen, Moments()
        silent = self._alarm_on == "up" and direction != "up"
        findings = tuple(
            Finding(
                attached.detector.name,
                kind,
                direction,
                attached.detector.score,
                attached.detector.threshold,
                change_point,
                before.known,
                after.known,
            )
            for attached, kind in found
            if not silent
        )
        if any(kind == "drift" for _, kind in found):
            self.reset()
        return findings
