"""What an episode of a sensor looks like to a subscriber of the alerts topic."""

from __future__ import annotations

from detectors import evidence, moments, signal
from detectors.episodes import EpisodeEvent
from schemas.events import (
    ChangePoint,
    Diagnosis,
    DriftEvent,
    Evidence,
    ModelRef,
    Severity,
    SourceRef,
    Statistics,
)
from schemas.ids import derived_id, drift_event_id


def drift_event(
    sensor_id: str,
    model: ModelRef,
    source: SourceRef,
    at: signal.Position,
    event: EpisodeEvent,
    diagnosis: Diagnosis,
    severity: Severity,
) -> DriftEvent:
    """Build the message for one step of an episode.

    Parameters
    ----------
    sensor_id, model
        Whose it is, and the model in use.
    source
        The sensor event that fired.
    at
        Its offset and time.
    event, diagnosis, severity
        What was found.
    """
    finding = event.finding
    return DriftEvent(
        id=drift_event_id(
            source.partition, source.offset, sensor_id, event.signal, event.detector, event.kind
        ),
        sensor_id=sensor_id,
        ts=at.ts,
        kind=event.kind,
        detector=event.detector,
        signal=event.signal,
        direction=finding.direction if finding else "none",
        diagnosis=diagnosis,
        severity=severity,
        episode_id=derived_id("episode", source.partition, sensor_id, event.episode_id),
        score=finding.score if finding else None,
        threshold=finding.threshold if finding else None,
        change_point=ChangePoint(ts=finding.change_point.ts, offset=finding.change_point.offset)
        if finding
        else None,
        before=_statistics(finding.before) if finding else None,
        after=_statistics(finding.after) if finding else None,
        model=model,
        source=source,
        evidence=tuple(_evidence(entry) for entry in event.evidence),
    )


def _evidence(entry: evidence.Evidence) -> Evidence:
    since, distances = entry.change_point, entry.distances
    return Evidence(
        subject=entry.subject,
        name=entry.name,
        method=entry.method,
        moved=entry.moved,
        first_moved=entry.first_moved,
        change_point=None if since is None else ChangePoint(ts=since.ts, offset=since.offset),
        reference_n=entry.reference,
        recent_n=entry.recent,
        shift=entry.shift,
        psi=distances.psi,
        ks=distances.ks,
        jensen_shannon=distances.js,
        wasserstein=distances.wasserstein,
    )


def _statistics(found: moments.Statistics | None) -> Statistics | None:
    return None if found is None else Statistics(n=found.n, mean=found.mean, std=found.std)
