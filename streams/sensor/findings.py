"""From what was found at one event to what is reported of it."""

from __future__ import annotations

from dataclasses import replace

from detectors.diagnosis import Diagnosis, Severity, diagnose, severity
from detectors.episodes import EpisodeEvent
from detectors.evidence import evidence_for, facts_of
from detectors.signal import Finding, Position
from streams.class_signals import signal_of
from streams.sensor.state import Sensor


def report(
    sensor: Sensor, at: Position, findings: list[tuple[str, Finding]]
) -> list[tuple[EpisodeEvent, Diagnosis, Severity]]:
    """Take what was found into the sensor's episode; return what is to be told of it."""
    named = [_named(watched, found) for watched, found in findings]
    told = [(signal_of(watched), found) for watched, found in named]
    events = sensor.episodes.observe(at, told, sensor.events)
    for number, event in enumerate(events):
        if event.finding is None:
            continue
        told_one = next(pair for pair in named if pair[1] is event.finding)
        evidence = evidence_for(named, told_one, sensor.monitors, sensor.observed)
        facts = facts_of(evidence, told_one, sensor.monitors, sensor.observed)
        sensor.diagnosis = diagnose(event.signal, event.finding, facts)
        sensor.severity = severity(event.finding)
        events[number] = replace(event, evidence=evidence)
        if event.kind == "drift" and sensor.diagnosis != "upstream" and sensor.observed is not None:
            sensor.observed.told(at.offset)
    return [(event, sensor.diagnosis, sensor.severity) for event in events]


def _named(signal: str, finding: Finding) -> tuple[str, Finding]:
    """Name the check that a signal is there for."""
    return signal, replace(finding, detector="missing") if signal == "missing" else finding
