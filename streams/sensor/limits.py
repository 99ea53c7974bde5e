"""A number on its way to the model: watched, and limited to what can be explained.

Where the time of day explains a reading, what is left of it is watched in its place.
"""

from __future__ import annotations

import math

from detectors.diagnosis import CHECKS
from detectors.hygiene import reference_in_use
from detectors.season import Season
from detectors.signal import Caution, Finding, Position
from schemas.settings import SensorSettings
from streams.sensor.caution import caution_of
from streams.sensor.model import begin_anew
from streams.sensor.monitors import feed
from streams.sensor.state import Sensor


def limit(
    sensor: Sensor,
    signal: str,
    value: float,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> float:
    """Watch a number, and return it limited to what the reference can explain, to be learned.

    While there is no reference, nothing is limited. So a model that has learned little but a
    warm-up with a wild number in it begins anew; one that knows more has guards of its own.
    """
    season = sensor.seasons.get(signal)
    if season is None:
        season = sensor.seasons[signal] = Season()
    monitor = sensor.monitors.get(signal)
    reference = None if monitor is None else monitor.reference
    known = reference is not None
    measured, earlier = reference_in_use(monitor), len(findings)
    usual = reference.mean if reference is not None and season.holds else math.nan
    of_the_hour = season.expected(at.ts)
    judged = of_the_hour == of_the_hour
    left = value - of_the_hour if judged else value
    limited = left
    if monitor is not None:
        # What is right for an hour that is not known may be far from what is right for the others.
        limited = monitor.learnable(left) if judged else monitor.clip(left)
    learned = limited + of_the_hour if judged else limited
    if judged:
        caution = caution_of(sensor, season, at)
        feed(sensor, signal, left, at, settings, findings, caution)
        if caution is Caution.STEPS:
            findings[:] = [
                (name, finding)
                for name, finding in findings
                if name != signal or not _explained(finding, season, at)
            ]
        reading = signal != "label" and not season.holds
        if len(findings) > earlier and reading and "unit" in settings.hygiene.checks:
            found = [finding for _, finding in findings[earlier:]]
            told = sensor.hygiene.explain(signal, found, measured)
            findings[earlier:] = [(signal, finding) for finding in told]
    in_another_unit = signal in sensor.hygiene.units
    if not in_another_unit and season.advance(at.ts, limited, usual):
        sensor.monitors[signal].reset()
    if known or signal not in sensor.monitors:
        return learned
    if sensor.monitors[signal].wild_in_warmup and sensor.examples <= settings.detectors.warmup:
        begin_anew(sensor)
    return learned


def _explained(finding: Finding, season: Season, at: Position) -> bool:
    before, after, since = finding.before, finding.after, finding.change_point.ts
    if before is None or after is None or finding.detector in CHECKS:
        return False
    return season.explains(before, after, since, at.ts)
