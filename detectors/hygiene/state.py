"""All checks of one sensor, at one event after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from detectors.calibration import Reference
from detectors.hygiene.limits import Doubt
from detectors.hygiene.rate import Rate
from detectors.hygiene.schema import Schema
from detectors.hygiene.stuck import Repeats
from detectors.hygiene.unit import Watch
from detectors.moments import Statistics
from detectors.signal import Finding, Position, SignalMonitor
from schemas import settings

RESTLESS: Final = 2
"""Jumps to another level and back after which a signal's jumps are its own, and no unit's."""

Withheld = Literal["schema", "range", "stuck", "unit"]
"""Why nothing is learned from an event; of several checks the first that says so."""

VALUE: Final = "value"
"""The signal of a single reading, and its name among the values of an event."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks say of one event.

    Attributes
    ----------
    findings
        Signal and finding.
    unusable
        Names of readings that are to be kept from the detectors.
    withheld
        Why nothing is to be learned from the event; None if it is one to be learned from.
    renewed
        Whether a reading is in another unit from now on, so that no model knows it.
    """

    findings: tuple[tuple[str, Finding], ...]
    unusable: frozenset[str]
    withheld: Withheld | None
    renewed: bool


class Hygiene:
    """State of the checks of one sensor.

    Attributes
    ----------
    rate
        How often it sends.
    repeats
        How often its value is the one before.
    doubts
        By signal: impossible readings, lately.
    schema
        What its events look like.
    units
        By signal: what is in another unit, or may be.
    returned
        By signal: how often such a jump was undone. What jumps to and fro does so by itself.
    """

    __slots__ = ("doubts", "rate", "repeats", "returned", "schema", "units")

    def __init__(self) -> None:
        self.rate = Rate()
        self.repeats = Repeats()
        self.doubts: dict[str, Doubt] = {}
        self.schema = Schema()
        self.units: dict[str, Watch] = {}
        self.returned: dict[str, int] = {}

    @property
    def at_rest(self) -> bool:
        """Whether nothing is suspected but what `rate` and `repeats` know."""
        busy = self.repeats.stuck or self.doubts or self.units
        return not busy and self.schema.blank and self.returned.keys() <= {VALUE}

    def now(self, ts: int) -> int:
        """Return the time of the event observed last, or, if nobody can trust it, one before."""
        return self.rate.newest if self.rate.ahead else ts

    def observe(
        self,
        values: Mapping[str, float | str | None],
        single: bool,
        at: Position,
        last_ts: int,
        arrived: int,
        earlier: int,
        patience: int,
        rules: settings.Hygiene,
        monitors: Mapping[str, SignalMonitor],
    ) -> Checked:
        """Take the next event.

        Parameters
        ----------
        values
            Its readings by name.
        single
            Whether it carries one value, under the name `VALUE`, or features.
        at
            Where it comes from.
        last_ts
            Time of the sensor's event before it, in microseconds.
        arrived
            The broker's time for it in milliseconds, below 0 if there is none.
        earlier
            Events of the sensor before it.
        patience
            Events that make a new normal.
        rules
            What to check, and the limits of readings.
        monitors
            What watches each signal.
        """
        findings: list[tuple[str, Finding]] = []
        unusable: set[str] = set()
        if "rate" in rules.checks:
            changed = self.rate.update(at, last_ts, arrived)
            if changed is not None:
                findings.append((VALUE, changed))
        withheld: Withheld | None = None
        if "schema" in rules.checks:
            changes, usable = self.schema.observe(values, single, at, earlier, patience)
            findings += changes
            if not usable:
                withheld = "schema"
        if rules.range and "range" in rules.checks:
            for name, value in values.items():
                if isinstance(value, float):
                    signal = VALUE if single else f"feature:{name}"
                    impossible = self._limited(signal, value, at, rules, monitors)
                    if impossible is not None:
                        findings.append((signal, impossible))
                        unusable.add(name)
                        withheld = withheld or "range"
        value = values.get(VALUE) if single else None
        if isinstance(value, float) and not unusable and "stuck" in rules.checks:
            self.repeats.update(value, at)
            if self.repeats.stuck:
                findings.append((VALUE, self._stuck(value, at, _usual(monitors, VALUE))))
                unusable.add(VALUE)
                withheld = withheld or "stuck"
        renewed = False
        if self.units:
            for name, value in values.items():
                signal = VALUE if single else f"feature:{name}"
                if signal in self.units and isinstance(value, float) and name not in unusable:
                    told, accepted = self._in_another_unit(signal, value, patience, monitors)
                    findings += told
                    renewed = renewed or accepted
            if self.units:
                withheld = withheld or "unit"
        if withheld is None and not renewed and not findings:
            return FINE
        return Checked(tuple(findings), frozenset(unusable), withheld, renewed)

    def explain(
        self,
        signal: str,
        found: Sequence[Finding],
        reference: Reference | None,
    ) -> list[Finding]:
        """Return what is to be told of what the detectors found on a reading.

        Parameters
        ----------
        signal
            ``value`` or ``feature:<name>``.
        found
            By its detectors, at one event.
        reference
            What it was measured against.
        """
        told: list[Finding] = []
        for finding in found:
            fixed = self.returned.get(signal, 0) < RESTLESS
            if finding.kind == "drift" and fixed and signal not in self.units:
                watch = Watch(finding, reference)
                if watch.verdict != "process":
                    self.units[signal] = watch
            suspect = self.units.get(signal)
            if finding.kind != "drift" or suspect is None:
                told.append(finding)
            elif suspect.verdict == "unit":
                told.append(replace(finding, detector="unit"))
        return told

    def _in_another_unit(
        self, signal: str, value: float, patience: int, monitors: Mapping[str, SignalMonitor]
    ) -> tuple[list[tuple[str, Finding]], bool]:
        """Look at a reading; return what is to be told, and whether the unit is accepted."""
        watch = self.units[signal]
        step = watch.update(value, patience)
        if step.over is not None:
            del self.units[signal]
            if step.over == "back":
                self.returned[signal] = self.returned.get(signal, 0) + 1
                if signal in monitors and watch.verdict == "unit":
                    watch.restore(monitors[signal])
        told = [] if step.finding is None else [(signal, step.finding)]
        return told, step.over == "accepted"

    def _limited(
        self,
        signal: str,
        value: float,
        at: Position,
        rules: settings.Hygiene,
        monitors: Mapping[str, SignalMonitor],
    ) -> Finding | None:
        """Hold a reading against its limits."""
        limits = rules.limits(signal)
        doubt = self.doubts.get(signal)
        if limits is None or limits[0] <= value <= limits[1]:
            if doubt is not None and doubt.possible():
                del self.doubts[signal]
            return None
        if doubt is None:
            doubt = self.doubts[signal] = Doubt(at)
        return doubt.impossible(value, *limits, _usual(monitors, signal))

    def _stuck(self, value: float, at: Position, usual: Statistics | None) -> Finding:
        repeats = self.repeats
        return Finding(
            detector="stuck",
            kind="drift",
            direction="none",
            score=float(repeats.run),
            threshold=repeats.limit,
            change_point=repeats.began or at,
            before=usual,
            after=Statistics(repeats.run + 1, value, 0.0),
        )


def _usual(monitors: Mapping[str, SignalMonitor], signal: str) -> Statistics | None:
    monitor = monitors.get(signal)
    return None if monitor is None else monitor.usual


FINE: Final = Checked((), frozenset(), None, False)
"""The usual case."""
